// A large message that has come by its header.
#pragma once

#include <ucp/api/ucp.h>

#include <cstdint>
#include <memory>
#include <vector>

#include "krg/base/intrusive_list.h"
#include "krg/fabric/event_sink.h"

namespace krg::ucx {

class UcxEndpoint;

class LargeIn final : public fabric::LargeMessage, public ListNode<struct HeldTag> {
 public:
  LargeIn(ucp_worker_h worker, UcxEndpoint& endpoint, std::uint64_t number, void* data,
          std::size_t size, bool rndv)
      : worker_(worker),
        endpoint_(endpoint),
        number_(number),
        data_(data),
        size_(size),
        rndv_(rndv) {}

  // Which message of its session it is.
  std::uint64_t number() const noexcept { return number_; }

  std::size_t size() const noexcept override { return size_; }
  void receive(std::span<std::byte> into, fabric::Completion& done) override;
  void discard() override;

  // Whether it was received or discarded. Until hold(), the sink's call is going on, and its caller
  // owns this object; from then on it owns itself.
  bool used() const noexcept { return used_; }
  // The data is needed beyond the callback; false if there is none.
  bool hold() noexcept;
  // Gives the data back without a word, because the endpoint is down.
  void drop() noexcept;
  // The sender wants it no more: gives the data back; receiving it fails.
  void revoke() noexcept;

 private:
  void finish() noexcept;
  void receive_rendezvous(std::span<std::byte> into, fabric::Completion& done);

  ucp_worker_h worker_;
  UcxEndpoint& endpoint_;
  const std::uint64_t number_;
  void* data_;
  const std::size_t size_;
  const bool rndv_;
  bool held_ = false;  // Released by us, not by UCX when the callback returns.
  bool self_owned_ = false;
  bool used_ = false;
  bool revoked_ = false;
};

}  // namespace krg::ucx

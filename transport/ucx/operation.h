// What krg keeps in a UCX request that is under way, and the pool of gathered sends.
#pragma once

#include <ucp/api/ucp.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "krg/base/intrusive_list.h"
#include "krg/fabric/endpoint.h"

namespace krg::ucx {

class UcxEndpoint;

inline constexpr std::size_t kPartsMax = 16;

// A send whose header and list of parts UCX reads until it completes.
struct GatheredSend {
  std::array<std::byte, fabric::kLargeHeaderMax> header;
  std::array<ucp_dt_iov_t, kPartsMax> parts;
};

class GatheredSendPool {
 public:
  GatheredSend* take() {
    if (free_.empty()) return new GatheredSend;
    GatheredSend* send = free_.back().release();
    free_.pop_back();
    return send;
  }
  void give_back(GatheredSend* send) noexcept {
    std::unique_ptr<GatheredSend> owned(send);
    if (free_.size() < kKept) free_.push_back(std::move(owned));
  }

 private:
  static constexpr std::size_t kKept = 64;
  std::vector<std::unique_ptr<GatheredSend>> free_;
};

// Lives in the part of a UCX request that belongs to the user, from the call that returned the
// request until its callback.
struct Operation : ListNode<struct OperationTag> {
  UcxEndpoint* endpoint = nullptr;
  fabric::Completion* done = nullptr;  // nullptr once told.
  GatheredSend* gathered = nullptr;
  std::uint64_t number = 0;  // Of a large message in its session.
  std::size_t bytes = 0;     // Counted as under way at the endpoint.
};

// An operation whose endpoint is gone: nobody is to be told.
inline void release_orphan(Operation& operation) noexcept {
  operation.unlink();
  delete operation.gathered;
  operation.gathered = nullptr;
}

}  // namespace krg::ucx

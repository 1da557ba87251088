// Large messages on their way in and out, and the chunks of what a peer can not read itself.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "krg/base/intrusive_list.h"
#include "krg/fabric/event_sink.h"
#include "rail.h"

namespace krg::ofi {

class Peer;

// A remote memory access of the rail, until it is done. `into` or `from` is the rail's meanwhile.
class DirectOp : public Operation, public ListNode<struct DirectTag> {
 public:
  virtual ~DirectOp() = default;
  virtual void finished(int error) noexcept = 0;

  Peer* peer = nullptr;
  bool write = false;
  std::span<std::byte> local;
  std::uint64_t address = 0;
  std::uint64_t key = 0;
};

// Bytes that go out in chunks of one packet.
struct Stream {
  Kind kind = Kind::data;
  std::uint64_t id = 0;      // Of the large message or memory operation.
  std::uint64_t region = 0;  // The region read from (get_data), or written to (put).
  std::uint64_t offset = 0;  // In the peer's region (put).
  std::uint64_t size = 0;
  std::uint64_t sent = 0;
  std::vector<std::span<const std::byte>> parts;  // What is still to go.
};

struct Outgoing {
  std::vector<std::span<const std::byte>> parts;
  std::uint64_t size = 0;
  fabric::Completion* done = nullptr;
  std::vector<Registration> registrations;
};

// A large message that has arrived by its header.
class Incoming final : public fabric::LargeMessage {
 public:
  Incoming(Peer& peer, std::uint64_t id, std::uint64_t size) noexcept
      : peer_(peer), id_(id), size_(size) {}

  std::size_t size() const noexcept override { return size_; }
  void receive(std::span<std::byte> into, fabric::Completion& done) override;
  void discard() override;

  void set_inline(std::span<const std::byte> data) { inline_.assign(data.begin(), data.end()); }
  void set_parts(std::vector<PartRef> parts) { parts_ = std::move(parts); }
  bool is_inline() const noexcept { return parts_.empty() && inline_.size() == size_; }
  // The sender wants it to end: true if that was in time.
  bool cancel() noexcept;
  // Data of a pull. False: the peer sends what was not asked for.
  bool take(std::uint64_t at, std::span<const std::byte> data) noexcept;
  // The end without success: tells whoever waits.
  void fail(Error why) noexcept;

 private:
  class Read;

  void read_parts();
  void pull();
  void read_done(int error) noexcept;
  // Ends it and tells; `this` is gone afterwards.
  void end(Status status) noexcept;

  Peer& peer_;
  const std::uint64_t id_;
  const std::uint64_t size_;
  std::vector<PartRef> parts_;
  std::vector<std::byte> inline_;
  std::vector<std::unique_ptr<Read>> reads_;
  std::span<std::byte> into_;
  fabric::Completion* done_ = nullptr;
  std::uint64_t got_ = 0;
  unsigned reading_ = 0;
  bool read_failed_ = false;
  bool cancelled_ = false;
};

class Incoming::Read final : public DirectOp {
 public:
  explicit Read(Incoming& message) noexcept : message_(message) {}
  void finished(int error) noexcept override { message_.read_done(error); }

 private:
  Incoming& message_;
};

}  // namespace krg::ofi

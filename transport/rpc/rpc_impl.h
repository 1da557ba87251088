// rpc_impl.h: the parts of Rpc that its own sources share and nobody else sees.
#pragma once

#include <deque>
#include <memory>
#include <unordered_map>
#include <vector>

#include "frame.h"
#include "krg/rpc/rpc.h"
#include "peer.h"
#include "service_stats.h"

namespace krg::rpc {

// Node numbers beyond this are taken for damage, not for a big cluster.
inline constexpr std::uint32_t kNodesMax = 1u << 16;

// A frame off the wire, with the bulk data that came with it.
struct Rpc::Frame {
  FrameHeader header;
  wire::Bytes payload;
  std::uint8_t lane = 0;
  Buffer attachment;

  Kind kind() const noexcept { return static_cast<Kind>(header.kind); }
  bool has(Flag flag) const noexcept { return (header.flags & flag) != 0; }
};

// A request that waits: for its service to be enabled, or for the one before it with the same key.
struct WaitingArrival {
  Arrival arrival;
  std::vector<std::byte> typed;
};

struct Rpc::ServiceEntry {
  ServiceId id;
  const char* name;
  std::unique_ptr<Handler> handler;
  bool enabled;
  std::deque<WaitingArrival> waiting;
  // A key is here while a request with it executes; the others of that key wait in order.
  std::unordered_map<std::uint64_t, std::deque<WaitingArrival>> keys;
};

inline ServiceStats& Rpc::stats_of(ServiceId id) noexcept {
  return stats_[id.value < stats_.size() ? id.value : 0];
}

// Bulk data on its way into a buffer of ours.
class LargeReceive final : public fabric::Completion {
 public:
  LargeReceive(Rpc& rpc, Peer& from, const FrameHeader& header, wire::Bytes typed,
               std::uint8_t lane, fabric::LargeMessage& message)
      : rpc_(rpc),
        from_(from),
        header_(header),
        typed_(typed.begin(), typed.end()),
        lane_(lane),
        size_(message.size()),
        message_(&message) {}

  bool begun() const noexcept { return message_ == nullptr; }
  std::size_t size() const noexcept { return size_; }
  // Which of the peer's budgets it takes from: a short one, or one of the control lane, is not to
  // wait until long ones are through.
  std::size_t budget() const noexcept { return lane_ * std::size_t{2} + (size_ > kShortBulkMax); }
  void begin(Buffer into);
  void on_complete(Status status) noexcept override;

 private:
  friend class Rpc;
  static constexpr std::size_t kShortBulkMax = std::size_t{256} << 10;

  Rpc& rpc_;
  Peer& from_;
  const FrameHeader header_;
  const std::vector<std::byte> typed_;
  const std::uint8_t lane_;
  const std::size_t size_;
  fabric::LargeMessage* message_;
  Buffer into_;
};

}  // namespace krg::rpc

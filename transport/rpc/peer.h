// peer.h: what rpc keeps about one other node: its connection, its lanes, its calls.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "frame.h"
#include "krg/base/intrusive_list.h"
#include "krg/base/ring_queue.h"
#include "krg/fabric/endpoint.h"
#include "krg/rpc/call.h"
#include "krg/rpc/incoming.h"
#include "krg/rpc/payload.h"

namespace krg::rpc {

class Rpc;
class StreamCore;
class LargeReceive;

// One small fabric message being filled or being sent. Pooled by its peer.
struct Batch final : fabric::Completion {
  explicit Batch(Peer& p) : owner(p) {}
  void on_complete(Status status) noexcept override;

  Peer& owner;
  std::size_t used = 0;  // Bytes of frames.
  alignas(64) std::array<std::byte, fabric::kMessageMax> bytes;
};

// One large fabric message being sent; owns its data until the fabric lets go of it.
struct LargeSend final : fabric::Completion {
  explicit LargeSend(Peer& p) noexcept;
  LargeSend(const LargeSend&) = delete;
  LargeSend& operator=(const LargeSend&) = delete;
  ~LargeSend() override;
  void on_complete(Status status) noexcept override;

  Peer& owner;
  Buffer data;
  std::vector<std::byte> header;  // Headroom first.
};

// What stands in line for the fabric: one of the two.
struct Outgoing {
  Batch* batch = nullptr;
  LargeSend* large = nullptr;
};

// A frame that waits for a credit or a connection, encoded because its sender does not wait for it.
struct QueuedFrame {
  FrameHeader header{};
  bool counted = false;  // Whether it takes a credit: requests do, answers do not.
  std::vector<std::byte> payload;
};

struct Lane {
  Batch* open = nullptr;
  RingQueue<Outgoing> blocked;               // The fabric was full; in order.
  IntrusiveList<CallBase, CallTag> waiting;  // Calls without a credit or a connection, in order.
  RingQueue<QueuedFrame> queued;             // Notices and forwards that wait the same way.
  std::uint32_t sent = 0;                    // Credit-counted messages, since the connection began.
  std::uint32_t acknowledged = 0;            // Of them, dealt with by the peer.
  std::uint32_t consumed = 0;                // Of the peer's, dealt with by us.
  std::uint32_t consumed_told = 0;
};

struct Peer : ListNode<struct DirtyTag> {
  enum class State { idle, connecting, up };
  static constexpr std::size_t kQueuedMax = 16384;

  Peer(Rpc& r, NodeId n);
  ~Peer();

  bool self() const noexcept;
  bool has_credit(const Lane& lane, std::size_t index) const noexcept {
    return lane.sent - lane.acknowledged < kWindow[index];
  }
  // Appends a frame to the lane's open batch, or sends it as a large message if it does not fit or
  // carries bulk data. Never waits: what the fabric can not take stands in line. Errors  too_large
  // the payload can not be sent in any way.
  Status append(std::uint8_t lane, FrameHeader header, const Payload& payload);
  Status append(std::uint8_t lane, FrameHeader header, const Payload& payload, Buffer data);
  // Encodes a frame whose sender does not wait and sends it as soon as that is possible.
  // Errors  limit_reached
  Status append_or_queue(std::uint8_t lane, FrameHeader header, const Payload& payload,
                         bool counted);
  // Sends the open batches; true if there was one.
  bool flush() noexcept;
  // The fabric takes more, or credits have come: moves what waits.
  void drain() noexcept;
  // Credits that the peer has returned.
  void acknowledge(const BatchHeader& header) noexcept;
  // Something waits for flush().
  void mark_dirty() noexcept;
  // Drops everything that stands in line; the connection is gone.
  void reset() noexcept;
  Batch* take_batch();
  void give_batch(Batch* batch) noexcept { free_batches.push_back(batch); }

  Rpc& rpc;
  const NodeId node;
  std::string address;
  State state = State::idle;
  fabric::Endpoint* endpoint = nullptr;
  fabric::Identity identity;
  std::uint64_t session = 0;  // Grows whenever a connection ends.
  std::array<Lane, 2> lanes;
  IntrusiveList<CallBase, CallTag> calls;     // Sent, waiting for the answer.
  IntrusiveList<Incoming, ActiveTag> active;  // Executing here for this peer.
  std::unordered_map<std::uint64_t, StreamCore*>
      streams;  // That this peer has opened here, by call.
  std::vector<std::unique_ptr<LargeReceive>> receiving;
  std::array<std::size_t, 4> receiving_bytes{};  // Of what has begun, by LargeReceive::budget().
  std::vector<Batch*> free_batches;
  std::vector<std::unique_ptr<Batch>> batches;  // All of them.

 private:
  void send_queue(std::uint8_t lane) noexcept;
  void send_waiting(std::uint8_t lane) noexcept;
  Status append_large(std::uint8_t lane, FrameHeader header, const Payload& payload, Buffer data);
  void count_sent(const FrameHeader& header, std::size_t size) noexcept;
  void seal(std::uint8_t lane) noexcept;
  bool send(std::uint8_t lane, Outgoing outgoing) noexcept;
  bool try_send(Outgoing outgoing) noexcept;
  void write_batch_header(std::uint8_t lane, std::byte* into) noexcept;
};

}  // namespace krg::rpc

// rpc/incoming.h: a request that has arrived, as its handler sees it.
//
// Model    one per execution. It is answered exactly once: by what the handler returns, or by
// forward().
//          cancelled() turns true when the caller has given up or died; a long handler looks at it
//          between its steps.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/rpc.md, "Rules"
#pragma once

#include <cstdint>

#include "krg/base/intrusive_list.h"
#include "krg/error/result.h"
#include "krg/fabric/endpoint.h"
#include "krg/rpc/buffer.h"
#include "krg/rpc/payload.h"
#include "krg/rpc/service.h"

namespace krg::rpc {

class Rpc;
struct Peer;

// Where a request came from and where its answer goes. Plain data, so that it can wait in a queue.
struct Arrival {
  Rpc* rpc = nullptr;
  Peer* via = nullptr;  // Who sent the frame.
  Peer* answer_to =
      nullptr;  // The first caller; differs from `via` when the request was forwarded.
  std::uint64_t session = 0;  // Of answer_to: an answer to an earlier life is dropped.
  std::uint64_t via_session = 0;
  std::uint64_t call = 0;
  std::uint64_t key = 0;
  ServiceId service{0};
  std::uint8_t flags = 0;
  std::uint8_t lane = 0;
  bool one_way = false;
  Buffer attachment;
};

class Incoming : ListNode<struct ActiveTag> {
 public:
  // `tracked`: it outlives the message's arrival, so that a cancel must find it.
  Incoming(Arrival&& arrival, bool tracked) noexcept;
  ~Incoming();
  Incoming(const Incoming&) = delete;
  Incoming& operator=(const Incoming&) = delete;

  // The first caller.
  NodeId from() const noexcept;
  fabric::Identity caller() const noexcept;
  bool cancelled() const noexcept { return cancelled_; }
  // Bulk data that came with the request; the handler may move it away.
  Buffer& attachment() noexcept { return arrival_.attachment; }
  // Bulk data that goes with the reply.
  void attach(Buffer data) noexcept { reply_data_ = std::move(data); }

  // Hands the request to another node, which answers the first caller directly. What the handler
  // returns is then ignored.
  template <Service S>
  void forward(NodeId to, const typename S::Request& request) noexcept {
    forward(to, S::kId, Payload::of(request));
  }

  // What dispatch calls with the handler's result.
  void answer(Payload reply) noexcept;
  void answer(Error error) noexcept;

 private:
  friend class Rpc;
  friend class StreamCore;
  template <class T, class U>
  friend class krg::IntrusiveList;

  void forward(NodeId to, ServiceId service, Payload request) noexcept;

  Arrival arrival_;
  Buffer reply_data_;
  bool answered_ = false;
  bool cancelled_ = false;
};

}  // namespace krg::rpc

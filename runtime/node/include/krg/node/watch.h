// node/watch.h: notices that a node is gone.
//
// Model    a watched node is pinged every `interval`. It is lost when the fabric says that its
//          connection broke, or when no ping was answered for `patience`. Lost is final: the
//          membership does not change. Pings go only where somebody depends on somebody, so their
//          number does not grow with the square of the nodes. A watcher that was itself stopped for
//          longer than an interval starts its patience anew, rather than accuse others of its own
//          absence.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   Lifeguard (Dadgar, Phillips, Currey 2018), "local health"; docs/design/launch.md,
//          "Failure"
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <unordered_map>

#include "krg/base/ids.h"
#include "krg/error/result.h"
#include "krg/reactor/co.h"
#include "krg/rpc/rpc.h"

namespace krg::node {

class Watch {
 public:
  struct Options {
    Duration interval = std::chrono::seconds(1);
    Duration patience = std::chrono::seconds(5);
  };
  // Called once for a node, from the reactor.
  using Lost = std::function<void(NodeId, Error)>;

  Watch(rpc::Rpc& rpc, Options options, Lost lost);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Counted: each begin() needs its end(). The own node is never watched.
  void begin(NodeId node);
  void end(NodeId node) noexcept;
  bool lost(NodeId node) const noexcept;
  // The fabric's word that the connection to `node` is gone.
  void connection_lost(NodeId node, Error why, bool graceful);

 private:
  struct Peer {
    unsigned users = 0;
    bool lost = false;
    bool pinging = false;  // A coroutine runs.
    TimePoint heard;
  };

  Co<void> ping(NodeId node);
  void declare(NodeId node, Error why);

  rpc::Rpc& rpc_;
  const Options options_;
  const Lost lost_;
  std::unordered_map<NodeId, Peer> peers_;
};

}  // namespace krg::node

// node/watch.h: tells those who depend on a node that it is lost to them.
//
// Model    a node is lost when the membership has excluded it, whoever depends on it; when its
//          connection broke while somebody did; and, with all others, when this node itself has had
//          no lease for `patience`: then it is this one that is cut off, and what spans several
//          nodes has no future here. Only the first is final: a node whose connection broke may be
//          a member still, and is used by what begins later. Nobody is asked: membership's
//          detector is, so a watch costs one timer per node, however many jobs there are. Who was
//          itself stopped for half its patience starts it anew.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/hotplug.md, "Leases"; docs/design/launch.md, "Failure"
#pragma once

#include <chrono>
#include <functional>
#include <unordered_map>

#include "krg/base/deadline.h"
#include "krg/base/ids.h"
#include "krg/error/result.h"
#include "krg/reactor/co.h"
#include "krg/reactor/reactor.h"

namespace krg::node {

class Watch {
 public:
  struct Options {
    Duration patience = std::chrono::milliseconds(2300);
  };
  // Called from the reactor, once until the node is back.
  using Lost = std::function<void(NodeId, Error)>;
  // Until when this node may serve.
  using LeaseUntil = std::function<TimePoint()>;

  Watch(reactor::Reactor& reactor, NodeId self, Options options, Lost lost, LeaseUntil lease_until);
  Watch(const Watch&) = delete;
  Watch& operator=(const Watch&) = delete;

  // Counted: each begin() needs its end(). The own node is never watched.
  void begin(NodeId node);
  void end(NodeId node) noexcept;

  // The fabric's word.
  void connected(NodeId node);
  void connection_lost(NodeId node, Error why, bool graceful);
  // The membership's.
  void excluded(NodeId node);

 private:
  struct Peer {
    unsigned users = 0;
    bool lost = false;
  };

  Co<void> watch_lease();
  void declare(NodeId node, Error why);

  reactor::Reactor& reactor_;
  const NodeId self_;
  const Options options_;
  const Lost lost_;
  const LeaseUntil lease_until_;
  std::unordered_map<NodeId, Peer> peers_;
  std::size_t users_ = 0;  // Of all peers.
  bool watching_ = false;  // A coroutine runs.
};

}  // namespace krg::node

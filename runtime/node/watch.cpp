#include "krg/node/watch.h"

#include <algorithm>
#include <vector>

#include "krg/log/log.h"
#include "krg/reactor/event.h"

namespace krg::node {

Watch::Watch(reactor::Reactor& reactor, NodeId self, Options options, Lost lost,
             LeaseUntil lease_until)
    : reactor_(reactor),
      self_(self),
      options_(options),
      lost_(std::move(lost)),
      lease_until_(std::move(lease_until)) {}

void Watch::begin(NodeId node) {
  if (node == self_) return;
  ++peers_[node].users;
  ++users_;
  if (std::exchange(watching_, true)) return;
  reactor_.spawn(watch_lease());
}

void Watch::end(NodeId node) noexcept {
  if (const auto at = peers_.find(node); at != peers_.end() && at->second.users > 0) {
    --at->second.users;
    --users_;
  }
}

void Watch::connected(NodeId node) {
  if (const auto at = peers_.find(node); at != peers_.end()) at->second.lost = false;
}

void Watch::connection_lost(NodeId node, Error why, bool) {
  // Nor is the goodbye of a node that nobody needs a loss.
  const auto at = peers_.find(node);
  if (at != peers_.end() && at->second.users > 0) declare(node, why);
}

void Watch::excluded(NodeId node) {
  declare(node, Error(Errc::timed_out, "excluded from the cluster").with_peer(node));
}

void Watch::declare(NodeId node, Error why) {
  Peer& peer = peers_[node];
  if (std::exchange(peer.lost, true)) return;
  KRG_INFO("node {} is lost: {}", node.value, why.message());
  lost_(node, why);
}

Co<void> Watch::watch_lease() {
  TimePoint since = reactor_.now();  // Before that nobody cared.
  while (users_ > 0) {
    const TimePoint until = std::max(since, lease_until_()) + options_.patience;
    if (reactor_.now() < until) {
      co_await reactor::sleep_until(reactor_, Deadline(until));
      if (reactor_.now() - until > options_.patience / 2) since = reactor_.now();
      continue;
    }
    since = reactor_.now();
    std::vector<NodeId> used;
    for (const auto& [node, peer] : peers_) {
      if (peer.users > 0) used.push_back(node);
    }
    for (const NodeId node : used) declare(node, Error(Errc::no_quorum));
  }
  watching_ = false;
}

}  // namespace krg::node

#include "krg/node/watch.h"

#include "krg/log/log.h"
#include "krg/node/status.h"
#include "krg/reactor/event.h"

namespace krg::node {

Watch::Watch(rpc::Rpc& rpc, Options options, Lost lost)
    : rpc_(rpc), options_(options), lost_(std::move(lost)) {}

void Watch::begin(NodeId node) {
  if (node == rpc_.self().node) return;
  Peer& peer = peers_[node];
  ++peer.users;
  if (peer.pinging || peer.lost) return;
  peer.pinging = true;
  peer.heard = rpc_.reactor().now();
  rpc_.reactor().spawn(ping(node));
}

void Watch::end(NodeId node) noexcept {
  if (const auto at = peers_.find(node); at != peers_.end() && at->second.users > 0) {
    --at->second.users;
  }
}

bool Watch::lost(NodeId node) const noexcept {
  const auto at = peers_.find(node);
  return at != peers_.end() && at->second.lost;
}

void Watch::connection_lost(NodeId node, Error why, bool graceful) {
  // An orderly goodbye of a node that nobody needs is not a loss.
  const auto at = peers_.find(node);
  if (at == peers_.end() || (graceful && at->second.users == 0)) return;
  declare(node, why);
}

void Watch::declare(NodeId node, Error why) {
  Peer& peer = peers_[node];
  if (peer.lost) return;
  peer.lost = true;
  KRG_INFO("node {} is lost: {}", node.value, why.message());
  lost_(node, why);
}

// Elements of an unordered_map stay where they are, so the reference holds across the waits.
Co<void> Watch::ping(NodeId node) {
  Peer& peer = peers_[node];
  reactor::Reactor& reactor = rpc_.reactor();
  while (peer.users > 0 && !peer.lost) {
    const TimePoint asked = reactor.now();
    const auto answer = co_await rpc_.call<Ping>(
        node, {},
        {.deadline = reactor.after(options_.interval), .priority = rpc::Priority::control});
    const TimePoint now = reactor.now();
    if (answer || now - asked > 2 * options_.interval) {
      peer.heard = now;
    } else if (now - peer.heard >= options_.patience) {
      declare(node, answer.error());
      break;
    }
    const TimePoint next = asked + options_.interval;
    if (now < next) co_await reactor::sleep_until(reactor, Deadline(next));
  }
  peer.pinging = false;
}

}  // namespace krg::node

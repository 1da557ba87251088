#include "members.h"

#include <string>

namespace krg::kddm_sim {

Members::Members(sim::World& world, rpc::Rpc& rpc, const cluster::Member& self,
                 const hotplug::Options& options)
    : rpc_(rpc),
      heartbeats_(world, self.node),
      membership_(rpc.reactor(), self, options, *this, heartbeats_, world.random().next()) {
  membership_.add_listener(*this);
  world.set_datagrams(self.node, this);
  rpc_.serve<hotplug::MembershipMessage>(
      [this](rpc::Incoming&, hotplug::MembershipMessage::Request& request) -> Result<wire::Empty> {
        membership_.receive(request.bytes);
        return wire::Empty{};
      });
  rpc_.set_peer_events(
      {.up = [this](const fabric::Identity& peer) { lives_[peer.node] = peer.incarnation; },
       .down =
           [this](NodeId node, Error, bool) {
             const auto life = lives_.find(node);
             if (life != lives_.end()) membership_.peer_down({node, life->second});
           }});
}

Members::~Members() {
  rpc_.set_peer_events({});
  heartbeats_.world.set_datagrams(heartbeats_.self, nullptr);
}

void Members::send(NodeId to, wire::Bytes message) {
  const hotplug::MembershipMessage::Request request{message};
  // Lost, if it can not be sent: membership asks again.
  (void)rpc_.notify<hotplug::MembershipMessage>(to, request, rpc::Priority::control);
}

// One that has failed is not called any more; while it calls us it is answered.
void Members::reach(const cluster::Member& member) {
  const bool gone = member.state == cluster::NodeState::failed;
  rpc_.set_address(member.node, gone ? "" : "sim:" + std::to_string(member.node.value));
}

void Members::commit(const cluster::ViewChange& change) noexcept {
  rpc_.set_epoch(change.after.epoch);
  for (const NodeId node : change.failed) rpc_.disconnect(node);
}

}  // namespace krg::kddm_sim

// A node's membership in simulation: its messages go over rpc, its heartbeats as datagrams of the
// simulated world, and what rpc knows of connections goes to it. So krgd has it (runtime/node).
#pragma once

#include <unordered_map>

#include "krg/hotplug/membership.h"
#include "krg/rpc/rpc.h"
#include "krg/sim/world.h"

namespace krg::kddm_sim {

class Members final : private hotplug::MessagePort,
                      private sim::Datagrams,
                      private cluster::ViewListener {
 public:
  // Requires  `rpc`, with its fabric open, outlives this.
  Members(sim::World& world, rpc::Rpc& rpc, const cluster::Member& self,
          const hotplug::Options& options);
  ~Members() override;

  hotplug::Membership& membership() noexcept { return membership_; }
  const hotplug::Membership& membership() const noexcept { return membership_; }

 private:
  struct Heartbeats final : detector::DatagramPort {
    Heartbeats(sim::World& w, NodeId n) noexcept : world(w), self(n) {}
    void send(NodeId to, wire::Bytes datagram) noexcept override {
      world.send_datagram(self, to, datagram);
    }
    sim::World& world;
    const NodeId self;
  };

  // hotplug::MessagePort
  void send(NodeId to, wire::Bytes message) override;
  void reach(const cluster::Member& member) override;
  // sim::Datagrams
  void on_datagram(wire::Bytes datagram) noexcept override { membership_.on_datagram(datagram); }
  void on_refused(NodeId node) noexcept override { membership_.on_refused(node); }
  // cluster::ViewListener: the lowest, which keeps rpc up to date.
  const char* name() const noexcept override { return "node"; }
  Co<Status> prepare(const cluster::ViewChange&, Deadline) override { co_return Status(); }
  void commit(const cluster::ViewChange& change) noexcept override;

  rpc::Rpc& rpc_;
  Heartbeats heartbeats_;
  std::unordered_map<NodeId, Incarnation> lives_;  // That a connection was up to last.
  hotplug::Membership membership_;
};

}  // namespace krg::kddm_sim

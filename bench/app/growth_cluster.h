// growth_cluster.h: a simulated cluster of up to thousands of nodes, each with a real Kddm.
//
// Model    n nodes that all know each other are n^2 connections: 17 million at 4,096 nodes. So only
//          a few nodes, the wide ones, have all members in their view. Every other node's view has
//          itself, the wide nodes, and its neighbours: those with which it is home and heir of some
//          objects. Rendezvous hashing gives the same home and heir in such a view as in the whole
//          one, so a wide node sees exactly what it would see if all views were whole; its load
//          from objects that neither it nor another wide node has to do with is not there. A whole
//          cluster gives all nodes the whole view, to show that this makes no difference.
// Threads  one.
// Blocks   never; simulated time passes.
// Source   kddm/store/homes.h; transport/sim/README.md
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "krg/kddm/kddm.h"
#include "krg/rpc/rpc.h"
#include "krg/sim/world.h"
#include "krg/stats/registry.h"
#include "krg/store/homes.h"

namespace krg::bench {

// Every message takes this long, so that the time of an operation counts its hops.
inline constexpr Duration kHop = std::chrono::microseconds(10);

// Sets whose ids the benches choose; their entries in the directory have wide nodes as homes.
inline constexpr kddm::SetId kSpread{100}, kFixed{101}, kTwoCopies{102};

// The processor's time in the turns of one node.
class TurnMeter final : public reactor::Poller {
 public:
  bool poll() noexcept override;
  // After each step of the world, whoever has turned.
  void close() noexcept;
  double seconds() const noexcept { return seconds_; }

 private:
  double seconds_ = 0, begun_ = -1;
};

class GrowthCluster {
 public:
  struct Node {
    // `first`: polled before all else in each turn; may be none.
    Node(sim::World& world, NodeId id, const cluster::NodeSet& sees, reactor::Poller* first);
    ~Node();
    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    reactor::Reactor& reactor;
    stats::Registry stats;
    rpc::Rpc rpc;
    std::unique_ptr<fabric::Fabric> fabric;
    std::optional<kddm::Kddm> kddm;
    stats::Counter *sent, *received, *impossible, *refused;
  };
  struct Work {
    NodeId at;
    Co<Status> what;
  };

  // Requires  size >= kWide.
  GrowthCluster(std::uint32_t size, bool whole);
  GrowthCluster(const GrowthCluster&) = delete;
  GrowthCluster& operator=(const GrowthCluster&) = delete;
  ~GrowthCluster();

  static constexpr std::uint32_t kWide = 8;

  std::uint32_t size() const noexcept { return world_.size(); }
  TimePoint now() const noexcept { return world_.now(); }
  const cluster::NodeSet& members() const noexcept { return members_; }
  // Homes and heirs while all are members.
  const kddm::HashRing& ring() const noexcept { return ring_; }
  // Of the wide nodes, `measured` and `leaver` are home of the usual number of objects.
  const std::vector<NodeId>& wide() const noexcept { return wide_; }
  NodeId measured() const noexcept { return measured_; }
  NodeId leaver() const noexcept { return leaver_; }
  const TurnMeter& meter() const noexcept { return meter_; }
  Node& node(NodeId id) noexcept { return *nodes_[id.value]; }

  // All members enter the next view at this instant; who is no member any more ends before.
  void enter(const cluster::NodeSet& members);
  // Errors  timed_out
  Status run_until(const std::function<bool()>& condition);
  // Begins all at once, and returns when they have ended: the first error, if any.
  Status run(std::vector<Work> works);
  Status run(NodeId at, Co<Status> what);
  // Until all wide nodes have heard what the members hold.
  Status settle();
  // Until no message is under way, nor waits to be sent.
  void rest();

  // Messages about objects that all nodes have sent, and received.
  std::uint64_t sent() const noexcept;
  std::uint64_t received() const noexcept;
  // Errors  protocol_error  some node got what must never come: the figures are worth nothing.
  Status sound() const;

 private:
  std::uint64_t sum_of(stats::Counter* Node::*counter) const noexcept;
  void choose_nodes();
  void make_neighbours();
  cluster::View view_of(NodeId node, Epoch epoch) const;
  Co<void> keep(Co<Status> what);

  sim::World world_;
  cluster::NodeSet members_;
  kddm::HashRing ring_;
  std::vector<NodeId> wide_;
  NodeId measured_, leaver_;
  std::vector<cluster::NodeSet> sees_;
  TurnMeter meter_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::uint32_t epoch_ = 0;
  std::size_t running_ = 0;
  Status status_;
};

}  // namespace krg::bench

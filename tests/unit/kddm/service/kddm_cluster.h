// Some nodes of a simulated world, each with a Kddm, and views handed out by the test.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "krg/kddm/kddm.h"
#include "krg/rpc/rpc.h"
#include "krg/sim/world.h"

namespace krg::kddm {

class KddmCluster {
 public:
  // `stores`: copies lie in a store that tasks could share, else on the heap.
  // `limits`: in bytes, of each node; 0 and those that are not there: none. `slots`: of a store.
  explicit KddmCluster(std::uint32_t nodes, bool stores = false, std::uint64_t seed = 1,
                       std::vector<std::uint64_t> limits = {}, std::uint32_t slots = 1024)
      : stores_(stores),
        slots_(slots),
        limits_(std::move(limits)),
        world_({.seed = seed, .nodes = nodes}) {
    for (std::uint32_t i = 0; i < nodes; ++i) nodes_.push_back(make_node(i));
    enter(cluster::NodeSet::first(nodes));
  }
  ~KddmCluster() {
    for (std::uint32_t i = 0; i < nodes_.size(); ++i) kill(i);
  }
  KddmCluster(const KddmCluster&) = delete;
  KddmCluster& operator=(const KddmCluster&) = delete;

  sim::World& world() { return world_; }
  Kddm& kddm(std::uint32_t node) { return nodes_[node]->kddm; }
  rpc::Rpc& rpc(std::uint32_t node) { return nodes_[node]->rpc; }
  NodeStore& store(std::uint32_t node) { return *nodes_[node]->store; }
  std::uint64_t count(std::uint32_t node, std::string_view counter) {
    return nodes_[node]->stats.counter(counter).value();
  }
  Deadline soon() { return Deadline(world_.now() + std::chrono::seconds(10)); }
  OpOptions within() { return {soon()}; }

  // The next view, at all its nodes at once.
  void enter(const cluster::NodeSet& members) {
    ++epoch_;
    for (const NodeId node : members) enter(node.value, members);
  }
  // At one of them; enter() or begin_view() has given the epoch.
  void enter(std::uint32_t node, const cluster::NodeSet& members) {
    nodes_[node]->kddm.enter(view_of(members));
    world_.wake(NodeId{node});
  }
  void begin_view() { ++epoch_; }
  // As long as these are about to leave, every view says so.
  void set_leaving(const cluster::NodeSet& nodes) { leaving_ = nodes; }
  // Whether the node's lease from the cluster is valid.
  void set_serving(std::uint32_t node, bool serves) { nodes_[node]->serves = serves; }

  void kill(std::uint32_t node) {
    if (!nodes_[node]) return;
    world_.kill(NodeId{node});
    nodes_[node].reset();
  }
  // A new life; it is in no view yet.
  void restart(std::uint32_t node) {
    world_.restart(NodeId{node});
    ++lives_[node];
    nodes_[node] = make_node(node);
  }
  // Lets everything happen that is under way.
  void settle() { world_.run_for(std::chrono::milliseconds(500)); }

  // Runs `work` on `node` to its end.
  template <class T>
  T run(std::uint32_t node, Co<T> work, Duration limit = std::chrono::seconds(60)) {
    std::optional<T> result;
    nodes_[node]->reactor.spawn(keep(std::move(work), result));
    world_.wake(NodeId{node});
    const bool ended = world_.run_until([&] { return result.has_value(); }, limit);
    KRG_ASSERT(ended);
    return std::move(*result);
  }
  // Starts it; the result is there when it has ended.
  template <class T>
  void start(std::uint32_t node, Co<T> work, std::optional<T>& result) {
    nodes_[node]->reactor.spawn(keep(std::move(work), result));
    world_.wake(NodeId{node});
  }

 private:
  struct Node {
    Node(sim::World& world, rpc::RpcOptions options, std::uint32_t slots, std::uint64_t limit)
        : store(slots > 0 ? make_store(slots, limit) : nullptr),
          reactor(world.reactor(options.self.node)),
          rpc(reactor, options),
          kddm(rpc, {.self = options.self.node,
                     .serving = [this] { return serves ? Status() : Error(Errc::no_quorum); },
                     .stats = &stats,
                     .limit_bytes = limit}) {
      if (store) kddm.use_store(*store);
      fabric::Options fabric_options;
      fabric_options.self = options.self;
      fabric = std::move(*world.open(reactor, rpc, fabric_options));
      rpc.attach(*fabric);
      reactor.add_poller(rpc);
      for (std::uint32_t i = 0; i < world.size(); ++i) {
        if (i != options.self.node.value) rpc.set_address(NodeId{i}, "sim:" + std::to_string(i));
      }
    }
    ~Node() {
      reactor.cancel_all();
      reactor.remove_poller(rpc);
      fabric.reset();
    }

    static std::unique_ptr<NodeStore> make_store(std::uint32_t slots, std::uint64_t limit) {
      StoreOptions options;
      options.geometry = {.slots = slots, .tasks = 4, .data_bytes = std::uint64_t{slots} << 16};
      options.budget_bytes = limit == 0 ? options.geometry.data_bytes : limit;
      options.ticks = Ticks::monotonic;
      auto made = NodeStore::create(options);
      KRG_ASSERT(made);
      made->serve_until(Deadline::never().at());
      return std::make_unique<NodeStore>(std::move(*made));
    }

    bool serves = true;
    std::unique_ptr<NodeStore> store;
    reactor::Reactor& reactor;
    rpc::Rpc rpc;
    stats::Registry stats;
    Kddm kddm;
    std::unique_ptr<fabric::Fabric> fabric;
  };

  std::unique_ptr<Node> make_node(std::uint32_t node) {
    lives_.resize(std::max<std::size_t>(lives_.size(), node + 1), 1);
    rpc::RpcOptions options;
    options.self = {NodeId{node}, Incarnation{lives_[node]}};
    return std::make_unique<Node>(world_, options, stores_ ? slots_ : 0,
                                  node < limits_.size() ? limits_[node] : 0);
  }
  cluster::View view_of(const cluster::NodeSet& members) const {
    cluster::View view{Epoch{epoch_}, members.min(), {}};
    for (const NodeId node : members) {
      cluster::Member member;
      member.node = node;
      member.incarnation = Incarnation{lives_[node.value]};
      if (leaving_.contains(node)) member.state = cluster::NodeState::leaving;
      view.members.push_back(std::move(member));
    }
    return view;
  }
  template <class T>
  static Co<void> keep(Co<T> work, std::optional<T>& result) {
    result.emplace(co_await std::move(work));
  }

  const bool stores_;
  const std::uint32_t slots_;
  const std::vector<std::uint64_t> limits_;
  sim::World world_;
  std::vector<std::uint32_t> lives_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::uint32_t epoch_ = 0;
  cluster::NodeSet leaving_;
};

}  // namespace krg::kddm

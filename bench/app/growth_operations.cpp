#include "growth_operations.h"

#include <algorithm>
#include <utility>

#include "growth_cluster.h"

namespace krg::bench {
namespace {

using kddm::ObjectId;
using kddm::SetId;

enum class Op { get, grab, sync };

struct Use {
  NodeId at;
  Op op;
};

// What is counted, and what has to be done to the object before.
struct Scenario {
  std::string name;
  SetId set;
  std::vector<std::vector<Use>> before;  // Those of one step at once.
  Use use;
};

// Of each scenario, after one object by which the nodes make their connections.
constexpr unsigned kObjects = 4;
constexpr std::size_t kObjectBytes = 64;

Co<Status> use_one(GrowthCluster::Node& node, Op op, SetId set, ObjectId object) {
  const kddm::OpOptions options{node.reactor.after(std::chrono::seconds(60))};
  if (op == Op::sync) co_return co_await node.kddm->sync(set, object, options);
  if (op == Op::get) {
    const auto lease = co_await node.kddm->get(set, object, options);
    co_return lease ? Status() : Status(lease.error());
  }
  const auto lease = co_await node.kddm->grab(set, object, options);
  co_return lease ? Status() : Status(lease.error());
}

Co<Status> make_set(GrowthCluster::Node& node, SetId set, NodeId home, std::uint8_t copies) {
  kddm::SetOptions options;
  options.object_bytes = kObjectBytes;
  options.policy = kddm::HomePolicy::fixed;
  options.home = home;
  options.copies = copies;
  const auto made =
      co_await node.kddm->create(options, node.reactor.after(std::chrono::seconds(60)), set);
  co_return made ? Status() : Status(made.error());
}

std::vector<Scenario> scenarios_for(const GrowthCluster& cluster) {
  const NodeId home = cluster.wide()[0], owner = cluster.wide()[1], user = cluster.wide()[2];
  const std::vector<Use> made_at_home{{home, Op::grab}}, made{{owner, Op::grab}};
  std::vector<Scenario> all{
      {"get of what is here", kFixed, {made, {{user, Op::get}}}, {user, Op::get}},
      {"get, first touch", kFixed, {}, {user, Op::get}},
      {"get, 2 hops", kFixed, {made_at_home}, {user, Op::get}},
      {"get, 3 hops", kFixed, {made}, {user, Op::get}},
      {"grab, 2 hops", kFixed, {made_at_home}, {user, Op::grab}},
      {"grab, 3 hops", kFixed, {made}, {user, Op::grab}}};
  // Copies on `owner` and others; the grab has to take all of them away.
  std::vector<NodeId> others(cluster.wide().begin() + 3, cluster.wide().end());
  for (const NodeId id : cluster.members()) {
    const auto& wide = cluster.wide();
    if (std::find(wide.begin(), wide.end(), id) == wide.end()) others.push_back(id);
  }
  for (const std::size_t readers : {std::size_t{3}, std::size_t{6}, others.size() + 1}) {
    std::vector<Use> reads;
    for (std::size_t i = 0; i + 1 < readers; ++i) reads.push_back({others[i], Op::get});
    const std::string name = readers == others.size() + 1 && readers > 6
                                 ? "grab, all others read"
                                 : "grab, " + std::to_string(readers) + " readers";
    if (!all.empty() && all.back().name == name) continue;
    all.push_back({name, kFixed, {made, reads}, {user, Op::grab}});
  }
  all.push_back({"sync, 2 copies", kTwoCopies, {{{user, Op::grab}}}, {user, Op::sync}});
  return all;
}

Status use(GrowthCluster& cluster, SetId set, ObjectId object, const std::vector<Use>& uses) {
  std::vector<GrowthCluster::Work> works;
  for (const Use& one : uses) {
    works.push_back({one.at, use_one(cluster.node(one.at), one.op, set, object)});
  }
  return cluster.run(std::move(works));
}

Result<OperationFigures> measure(GrowthCluster& cluster, const Scenario& scenario,
                                 std::uint64_t first) {
  OperationFigures figures{scenario.name};
  for (unsigned i = 0; i <= kObjects; ++i) {
    const ObjectId object{first + i};
    for (const std::vector<Use>& step : scenario.before) {
      KRG_TRY(use(cluster, scenario.set, object, step));
      cluster.rest();
    }
    const std::uint64_t sent = cluster.sent();
    const TimePoint begin = cluster.now();
    KRG_TRY(use(cluster, scenario.set, object, {scenario.use}));
    const std::chrono::duration<double> took = cluster.now() - begin;
    cluster.rest();
    if (i == 0) continue;
    figures.messages += static_cast<double>(cluster.sent() - sent) / kObjects;
    figures.hops += took / kHop / kObjects;
  }
  return figures;
}

}  // namespace

Result<std::vector<OperationFigures>> measure_operations(std::uint32_t nodes, bool whole) {
  GrowthCluster cluster(nodes, whole);
  cluster.enter(cluster.members());
  KRG_TRY(cluster.settle());
  const NodeId home = cluster.wide()[0];
  KRG_TRY(cluster.run(home, make_set(cluster.node(home), kFixed, home, 1)));
  KRG_TRY(cluster.run(home, make_set(cluster.node(home), kTwoCopies, home, 2)));
  cluster.rest();
  std::vector<OperationFigures> all;
  for (const Scenario& scenario : scenarios_for(cluster)) {
    KRG_TRY_ASSIGN(OperationFigures figures, measure(cluster, scenario, 1000 * (all.size() + 1)));
    all.push_back(std::move(figures));
  }
  KRG_TRY(cluster.sound());
  return all;
}

}  // namespace krg::bench

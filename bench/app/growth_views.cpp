#include "growth_views.h"

#include <utility>
#include <vector>

#include "growth_cluster.h"

namespace krg::bench {
namespace {

using kddm::ObjectId;

constexpr std::size_t kObjectBytes = 64;
constexpr int kInFlight = 64;  // First touches of one node at a time.

// Who has object `id`, by chance. Not the hash that homes go by.
NodeId holder_of(std::uint64_t id, std::uint32_t nodes) noexcept {
  id = (id ^ (id >> 31)) * 0x7fb5d329728ea185u;
  id = (id ^ (id >> 27)) * 0x81dadef4bc2dd44du;
  return NodeId{static_cast<std::uint32_t>((id ^ (id >> 33)) % nodes)};
}

struct Place {
  std::vector<std::vector<std::uint64_t>> made_by, taken_by;  // Objects, by node.
  std::uint64_t at_leaver = 0;                                // Their home is the one that leaves.
  std::uint64_t all = 0;
};

// The objects that are to be there, who makes each, and who has it then if not its maker. A node
// that is not wide knows the homes of some objects, but the heirs of fewer, who have to be told of
// a new object; so such a node takes what the measured node has made. What that one is merely heir
// of lies on other wide nodes.
Place place_objects(const GrowthCluster& cluster, std::uint64_t objects) {
  const NodeId measured = cluster.measured(), leaver = cluster.leaver();
  std::vector<NodeId> others;  // Wide ones.
  for (const NodeId id : cluster.wide()) {
    if (id != measured && id != leaver) others.push_back(id);
  }
  Place place;
  place.made_by.resize(cluster.size());
  place.taken_by.resize(cluster.size());
  for (std::uint64_t id = 0; id < objects; ++id) {
    const kddm::Homes homes = cluster.ring().homes(kSpread, ObjectId{id});
    NodeId holder = holder_of(id, cluster.size());
    if (holder == leaver) holder = others[id % others.size()];
    if (holder == measured || homes.home == measured) {
      place.made_by[measured.value].push_back(id);
      if (holder != measured) place.taken_by[holder.value].push_back(id);
    } else if (homes.heir == measured || homes.home == leaver) {
      place.made_by[others[id % others.size()].value].push_back(id);
    } else {
      continue;
    }
    ++place.all;
    if (homes.home == leaver) ++place.at_leaver;
  }
  return place;
}

Co<Status> make_set(GrowthCluster::Node& node) {
  kddm::SetOptions options;
  options.object_bytes = kObjectBytes;
  const auto made =
      co_await node.kddm->create(options, node.reactor.after(std::chrono::seconds(60)), kSpread);
  co_return made ? Status() : Status(made.error());
}

// One of several that share the list.
Co<Status> touch(GrowthCluster::Node& node, const std::vector<std::uint64_t>& ids,
                 std::size_t& next) {
  while (next < ids.size()) {
    const ObjectId object{ids[next++]};
    const auto lease =
        co_await node.kddm->grab(kSpread, object, {node.reactor.after(std::chrono::seconds(60))});
    if (!lease) co_return lease.error();
  }
  co_return Status();
}

Status touch_all(GrowthCluster& cluster, const std::vector<std::vector<std::uint64_t>>& by_node) {
  std::vector<std::size_t> next(cluster.size());
  std::vector<GrowthCluster::Work> works;
  for (const NodeId id : cluster.members()) {
    const std::vector<std::uint64_t>& ids = by_node[id.value];
    for (std::size_t i = 0; i < kInFlight && i < ids.size(); ++i) {
      works.push_back({id, touch(cluster.node(id), ids, next[id.value])});
    }
  }
  KRG_TRY(cluster.run(std::move(works)));
  cluster.rest();
  return {};
}

struct Parts {
  std::uint64_t held = 0, home = 0, heir = 0;
};

Parts parts_of(GrowthCluster& cluster, NodeId id) {
  Parts parts;
  for (const kddm::ObjectState& object : cluster.node(id).kddm->dump()) {
    if (object.set != kSpread) continue;
    if (object.holder.copy != kddm::Copy::none) ++parts.held;
    if (object.home.state == kddm::HomeState::idle) ++parts.home;
    if (object.home.state == kddm::HomeState::away && object.home.noted) ++parts.heir;
  }
  return parts;
}

// Objects that have a home and are at rest there, on all nodes but the leaver.
std::uint64_t homes_of_others(GrowthCluster& cluster) {
  std::uint64_t sum = 0;
  for (const NodeId id : cluster.members()) {
    if (id != cluster.leaver()) sum += parts_of(cluster, id).home;
  }
  return sum;
}

Result<ViewFigures> change_view(GrowthCluster& cluster, const cluster::NodeSet& members) {
  GrowthCluster::Node& node = cluster.node(cluster.measured());
  const std::uint64_t sent = node.sent->value(), received = node.received->value();
  const double cpu = cluster.meter().seconds();
  const TimePoint begin = cluster.now();
  ViewFigures figures;
  cluster.enter(members);
  KRG_TRY(cluster.settle());
  figures.simulated_s = std::chrono::duration<double>(cluster.now() - begin).count();
  cluster.rest();
  figures.sent = node.sent->value() - sent;
  figures.received = node.received->value() - received;
  figures.cpu_s = cluster.meter().seconds() - cpu;
  return figures;
}

}  // namespace

Result<ViewCosts> measure_views(std::uint32_t nodes, std::uint64_t objects, bool whole) {
  GrowthCluster cluster(nodes, whole);
  const cluster::NodeSet all = cluster.members();
  cluster.enter(all);
  KRG_TRY(cluster.settle());
  const NodeId measured = cluster.measured();
  KRG_TRY(cluster.run(measured, make_set(cluster.node(measured))));
  cluster.rest();
  ViewCosts costs;
  KRG_TRY_ASSIGN(costs.empty, change_view(cluster, all));
  const Place place = place_objects(cluster, objects);
  KRG_TRY(touch_all(cluster, place.made_by));
  KRG_TRY(touch_all(cluster, place.taken_by));

  const Parts parts = parts_of(cluster, measured);
  costs.held = parts.held;
  costs.home = parts.home;
  costs.heir = parts.heir;
  const std::uint64_t before = homes_of_others(cluster);
  KRG_TRY_ASSIGN(costs.leave, change_view(cluster, all - cluster::NodeSet{cluster.leaver()}));
  const std::uint64_t after = homes_of_others(cluster);
  costs.moved = after - before;
  KRG_TRY(cluster.sound());
  if (after != place.all || costs.moved != place.at_leaver) {
    return Error(Errc::protocol_error, "objects have no home, or the wrong one");
  }
  return costs;
}

}  // namespace krg::bench

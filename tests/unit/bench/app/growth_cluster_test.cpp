// The simulated cluster that krg_kddm_growth measures.
#include "growth_cluster.h"

#include <gtest/gtest.h>

#include "krg/testing/matchers.h"

namespace krg::bench {
namespace {

using kddm::ObjectId;

Deadline within(GrowthCluster::Node& node) { return node.reactor.after(std::chrono::seconds(60)); }

Co<Status> make_set(GrowthCluster::Node& node, NodeId home) {
  kddm::SetOptions options;
  options.policy = kddm::HomePolicy::fixed;
  options.home = home;
  const auto made = co_await node.kddm->create(options, within(node), kFixed);
  co_return made ? Status() : Status(made.error());
}

Co<Status> make_objects(GrowthCluster::Node& node, std::uint64_t first, std::uint64_t count) {
  for (std::uint64_t i = first; i < first + count; ++i) {
    const auto lease = co_await node.kddm->grab(kFixed, ObjectId{i}, {within(node)});
    if (!lease) co_return lease.error();
  }
  co_return Status();
}

std::uint64_t homes_at_rest(GrowthCluster& cluster) {
  std::uint64_t count = 0;
  for (const NodeId id : cluster.members()) {
    for (const kddm::ObjectState& part : cluster.node(id).kddm->dump()) {
      if (part.set == kFixed && part.home.state == kddm::HomeState::idle) ++count;
    }
  }
  return count;
}

// Goal    nothing is counted before it has happened, however many messages a change of view takes.
// Method  all objects have one home, which goes. What their two holders have to tell the next home
//         fills the channels' windows many times over, and before it has heard both of them to the
//         end it sends nothing.
TEST(GrowthCluster, RestsWhenWhatWaitedForTheWindowHasComeToo) {
  constexpr std::uint64_t kObjects = 40'000;  // 20 windows of each holder.
  GrowthCluster cluster(GrowthCluster::kWide, false);
  cluster.enter(cluster.members());
  ASSERT_OK(cluster.settle());
  const NodeId home = cluster.leaver(), one = cluster.measured();
  NodeId other = home;
  for (const NodeId id : cluster.wide()) {
    if (id != home && id != one) other = id;
  }
  ASSERT_OK(cluster.run(home, make_set(cluster.node(home), home)));
  ASSERT_OK(cluster.run(one, make_objects(cluster.node(one), 0, kObjects / 2)));
  ASSERT_OK(cluster.run(other, make_objects(cluster.node(other), kObjects / 2, kObjects / 2)));
  cluster.rest();
  EXPECT_EQ(homes_at_rest(cluster), kObjects);
  cluster.enter(cluster.members() - cluster::NodeSet{home});
  cluster.rest();
  EXPECT_EQ(homes_at_rest(cluster), kObjects);
  EXPECT_OK(cluster.sound());
}

}  // namespace
}  // namespace krg::bench

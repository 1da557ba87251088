#include "krg/store/homes.h"

#include <gtest/gtest.h>

#include <map>

namespace krg::kddm {
namespace {

using cluster::NodeSet;

constexpr SetId kSet{2000};

NodeSet without(NodeSet members, NodeId node) {
  members.erase(node);
  return members;
}

SetOptions options_of(HomePolicy policy) {
  SetOptions options;
  options.policy = policy;
  options.home = NodeId{3};
  options.nodes = NodeSet::first(7);
  return options;
}

// Goal    who inherits an object knew of it before: decision "heir" of docs/design/kddm.md.
TEST(Homes, TheHeirIsHomeWhenTheHomeHasGoneWhateverThePolicy) {
  const NodeSet members{NodeId{0}, NodeId{2}, NodeId{3}, NodeId{6}, NodeId{9}};
  const HashRing ring(members);
  for (const auto policy : {HomePolicy::hash, HomePolicy::fixed, HomePolicy::round_robin}) {
    const SetOptions options = options_of(policy);
    for (std::uint64_t object = 0; object < 300; ++object) {
      const Homes homes = homes_of(options, kSet, ObjectId{object}, ring, members);
      ASSERT_TRUE(members.contains(homes.home));
      ASSERT_NE(homes.home, homes.heir);
      const NodeSet rest = without(members, homes.home);
      HashRing next = ring;
      next.update(rest);
      ASSERT_EQ(homes_of(options, kSet, ObjectId{object}, next, rest).home, homes.heir);
    }
  }
}

TEST(Homes, AClusterOfOneHasNoHeir) {
  const NodeSet alone{NodeId{5}};
  EXPECT_EQ(homes_near(NodeId{2}, alone), (Homes{NodeId{5}, kNoNode}));
  EXPECT_EQ(HashRing(alone).homes(kSet, ObjectId{1}), (Homes{NodeId{5}, kNoNode}));
}

TEST(Homes, FixedAndRoundRobinStandWhereTheyWereTold) {
  const NodeSet members = NodeSet::first(7);
  const HashRing ring(members);
  const SetOptions fixed = options_of(HomePolicy::fixed);
  const SetOptions turns = options_of(HomePolicy::round_robin);
  for (std::uint64_t object = 0; object < 20; ++object) {
    EXPECT_EQ(homes_of(fixed, kSet, ObjectId{object}, ring, members).home, NodeId{3});
    EXPECT_EQ(homes_of(turns, kSet, ObjectId{object}, ring, members).home.value, object % 7);
  }
}

TEST(HashRing, AChangedViewIsAsOneMadeAnew) {
  NodeSet members = NodeSet::first(20);
  HashRing ring(members);
  const auto same_as_new = [&] {
    const HashRing fresh(members);
    for (std::size_t i = 0; i < HashRing::kSlots; ++i) ASSERT_EQ(fresh.slot(i), ring.slot(i));
  };
  for (const std::uint32_t node : {3u, 19u, 0u}) {
    members.erase(NodeId{node});
    ring.update(members);
    same_as_new();
  }
  members.insert(NodeId{3});
  members.insert(NodeId{40});
  members.erase(NodeId{7});
  ring.update(members);
  same_as_new();
}

TEST(HashRing, IsEvenAndMovesOneNthWhenANodeComes) {
  constexpr std::uint32_t kNodes = 16;
  constexpr std::uint64_t kObjects = 64'000;
  const NodeSet members = NodeSet::first(kNodes);
  HashRing ring(members);
  std::map<std::uint32_t, std::uint64_t> load;
  std::vector<NodeId> before;
  for (std::uint64_t i = 0; i < kObjects; ++i) {
    before.push_back(ring.homes(kSet, ObjectId{i}).home);
    ++load[before.back().value];
  }
  for (const auto& [node, objects] : load) {
    EXPECT_GT(objects, kObjects / kNodes / 2) << "node " << node;
    EXPECT_LT(objects, kObjects / kNodes * 2) << "node " << node;
  }
  ring.update(NodeSet::first(kNodes + 1));
  std::uint64_t moved = 0;
  for (std::uint64_t i = 0; i < kObjects; ++i) {
    const NodeId home = ring.homes(kSet, ObjectId{i}).home;
    if (home == before[i]) continue;
    ++moved;
    ASSERT_EQ(home.value, kNodes) << "an object moved between nodes that both stayed";
  }
  EXPECT_LT(moved, kObjects / kNodes * 2);
  EXPECT_GT(moved, kObjects / kNodes / 2);
}

}  // namespace
}  // namespace krg::kddm

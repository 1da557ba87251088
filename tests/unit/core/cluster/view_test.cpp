#include "krg/cluster/view.h"

#include <gtest/gtest.h>

namespace krg::cluster {
namespace {

Member member(std::uint32_t node, std::uint32_t incarnation = 1) {
  return {NodeId{node}, Incarnation{incarnation}, "host" + std::to_string(node), {std::byte{1}}};
}

View view_of(std::uint32_t epoch, std::vector<Member> members) {
  View view;
  view.epoch = Epoch{epoch};
  view.members = std::move(members);
  if (!view.members.empty()) view.coordinator = view.members.front().node;
  return view;
}

TEST(View, FindsMembersAndNoOthers) {
  const View view = view_of(1, {member(1), member(4), member(7)});
  ASSERT_NE(view.find(NodeId{4}), nullptr);
  EXPECT_EQ(view.find(NodeId{4})->host, "host4");
  EXPECT_FALSE(view.contains(NodeId{5}));
  EXPECT_FALSE(view.contains(kNoNode));
  EXPECT_EQ(view.nodes().format(), "1,4,7");
}

TEST(Failure, HasANameAndNoneHasNone) {
  EXPECT_EQ(name_of(Failure::none), "");
  EXPECT_EQ(name_of(Failure::silent), "silent");
  EXPECT_EQ(name_of(Failure::ended), "ended");
  EXPECT_EQ(name_of(Failure::refused), "refused");
  EXPECT_EQ(name_of(static_cast<Failure>(9)), "unknown");
}

TEST(View, SurvivesTheWire) {
  const View view = view_of(9, {member(0), member(1, 3)});
  const auto back = wire::decode<View>(wire::encode(view));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, view);
  EXPECT_TRUE(check(*back));
}

TEST(View, CheckRefusesWhatNoClusterAgreed) {
  EXPECT_FALSE(check(view_of(1, {member(2), member(1)})));
  EXPECT_FALSE(check(view_of(1, {member(1), member(1)})));
  EXPECT_FALSE(check(view_of(1, {member(kNodesMax)})));
  View foreign = view_of(1, {member(1)});
  foreign.coordinator = NodeId{2};
  EXPECT_FALSE(check(foreign));
  foreign.coordinator = kNoNode;
  EXPECT_TRUE(check(foreign));
}

TEST(View, CompareTellsJoiningLeavingAndFailedApart) {
  const View before = view_of(1, {member(0), member(1), member(2), member(3)});
  const View after = view_of(2, {member(0), member(3, 2), member(5)});
  const ViewChange change = compare(before, after, NodeSet{NodeId{1}});
  EXPECT_EQ(change.joining.format(), "3,5");
  EXPECT_EQ(change.leaving.format(), "1");
  EXPECT_EQ(change.failed.format(), "2,3");
}

TEST(View, EveryStateHasAName) {
  EXPECT_EQ(name_of(NodeState::possible), "possible");
  EXPECT_EQ(name_of(NodeState::failed), "failed");
  EXPECT_EQ(name_of(static_cast<NodeState>(200)), "unknown");
}

}  // namespace
}  // namespace krg::cluster

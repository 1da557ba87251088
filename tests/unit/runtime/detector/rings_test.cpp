#include "krg/detector/rings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "members.h"

namespace krg::detector::testing {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;

TEST(Rings, InASmallClusterEverybodyWatchesEverybody) {
  const Rings rings(view_of(4));
  EXPECT_THAT(rings.observers(NodeId{2}), ElementsAre(NodeId{0}, NodeId{1}, NodeId{3}));
  EXPECT_THAT(rings.subjects(NodeId{2}), ElementsAre(NodeId{0}, NodeId{1}, NodeId{3}));
  EXPECT_EQ(Rings(view_of(11)).observers(NodeId{0}).size(), 10u);
}

TEST(Rings, ALoneNodeAndAStrangerWatchNobody) {
  EXPECT_TRUE(Rings(view_of(1)).observers(NodeId{0}).empty());
  EXPECT_TRUE(Rings(view_of(4)).subjects(NodeId{9}).empty());
  EXPECT_TRUE(Rings(view_of(40)).subjects(NodeId{40}).empty());
}

TEST(Rings, ObserversAndSubjectsMirrorEachOtherAndAreAtMostTen) {
  for (const std::uint32_t count : {12u, 64u, 1'000u, 10'000u}) {
    const Rings rings(view_of(count));
    std::size_t pairs = 0;
    for (std::uint32_t n = 0; n < count; ++n) {
      const auto observers = rings.observers(NodeId{n});
      EXPECT_LE(observers.size(), kRings);
      EXPECT_GE(observers.size(), 2u);
      EXPECT_LE(rings.subjects(NodeId{n}).size(), kRings);
      pairs += observers.size();
      for (const NodeId observer : observers) {
        EXPECT_NE(observer, NodeId{n});
        EXPECT_THAT(rings.subjects(observer), Contains(NodeId{n}));
      }
    }
    // Few pairs meet on two rings.
    if (count >= 64) {
      EXPECT_GT(pairs, count * 9u);
    }
  }
}

TEST(Rings, ANodeThatLeavesChangesOnlyItsNeighbours) {
  cluster::View view = view_of(1'000);
  const Rings before(view);
  const NodeId gone{500};
  view.members.erase(view.members.begin() + 500);
  const Rings after(view);
  const auto heirs = before.observers(gone);
  for (const cluster::Member& member : view.members) {
    if (std::binary_search(heirs.begin(), heirs.end(), member.node)) continue;
    EXPECT_EQ(before.subjects(member.node), after.subjects(member.node));
  }
}

}  // namespace
}  // namespace krg::detector::testing

// Goal    who watches whom is symmetric, bounded, and moves little.
#include "krg/detector/rings.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace krg::detector {
namespace {

std::vector<NodeId> first(std::uint32_t count) {
  std::vector<NodeId> nodes;
  for (std::uint32_t i = 0; i < count; ++i) nodes.push_back(NodeId{i});
  return nodes;
}
bool contains(const std::vector<NodeId>& nodes, NodeId node) {
  return std::find(nodes.begin(), nodes.end(), node) != nodes.end();
}

TEST(Rings, OfFewMembersEachWatchesAllOthers) {
  const Rings rings(first(11));
  for (const NodeId node : first(11)) {
    EXPECT_EQ(rings.observers_of(node).size(), 10u);
    EXPECT_FALSE(contains(rings.observers_of(node), node));
    EXPECT_EQ(rings.observers_of(node), rings.subjects_of(node));
  }
  EXPECT_TRUE(Rings(first(1)).observers_of(NodeId{0}).empty());
  EXPECT_TRUE(Rings().observers_of(NodeId{0}).empty());
}

TEST(Rings, ASubjectsObserverHasItAsItsSubject) {
  const Rings rings(first(500));
  for (const NodeId node : first(500)) {
    EXPECT_LE(rings.observers_of(node).size(), 10u);
    EXPECT_GE(rings.observers_of(node).size(), 7u);
    for (const NodeId observer : rings.observers_of(node)) {
      EXPECT_TRUE(contains(rings.subjects_of(observer), node));
      EXPECT_NE(observer, node);
    }
  }
  EXPECT_TRUE(rings.observers_of(NodeId{500}).empty());
}

TEST(Rings, OneThatGoesMovesOnlyItsOwnNeighbours) {
  std::vector<NodeId> members = first(500);
  const Rings before(members);
  members.erase(members.begin() + 77);
  const Rings after(members);
  std::size_t moved = 0;
  for (const NodeId node : members) moved += before.observers_of(node) != after.observers_of(node);
  EXPECT_LE(moved, 10u);
}

}  // namespace
}  // namespace krg::detector

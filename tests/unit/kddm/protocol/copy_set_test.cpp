#include "krg/protocol/copy_set.h"

#include <gtest/gtest.h>

#include <random>
#include <set>
#include <vector>

namespace krg::kddm {
namespace {

std::vector<std::uint32_t> nodes_of(const CopySet& set) {
  std::vector<std::uint32_t> nodes;
  set.for_each([&](NodeId node) { nodes.push_back(node.value); });
  return nodes;
}

// Goal    a set is what std::set is, whatever its size and whichever way it went there.
// Method  random inserts and erases of nodes up to 5,000; seeds 0 to 19.
TEST(CopySet, IsASetInPlaceAndOnTheHeap) {
  for (std::uint32_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937 random(seed);
    const std::uint32_t span = seed % 2 == 0 ? 20 : 5000;
    CopySet set;
    std::set<std::uint32_t> expected;
    for (int i = 0; i < 400; ++i) {
      const std::uint32_t node = random() % span;
      if (random() % 3 != 0) {
        set.insert(NodeId{node});
        expected.insert(node);
      } else {
        set.erase(NodeId{node});
        expected.erase(node);
      }
      ASSERT_EQ(set.size(), expected.size());
      ASSERT_EQ(set.contains(NodeId{node}), expected.contains(node));
      if (!expected.empty()) {
        ASSERT_EQ(set.first().value, *expected.begin());
      }
    }
    EXPECT_EQ(nodes_of(set), std::vector<std::uint32_t>(expected.begin(), expected.end()));
  }
}

TEST(CopySet, CopiesAndMovesKeepTheNodes) {
  for (const std::uint32_t count : {3u, 12u, 13u, 300u}) {
    CopySet set;
    for (std::uint32_t i = 0; i < count; ++i) set.insert(NodeId{i * 7});
    CopySet copy = set;
    EXPECT_EQ(copy, set);
    copy.erase(NodeId{7});
    EXPECT_FALSE(copy == set);
    EXPECT_TRUE(set.contains(NodeId{7}));
    const CopySet moved = std::move(set);
    EXPECT_EQ(moved.size(), count);
    copy = moved;
    EXPECT_EQ(copy, moved);
    copy.clear();
    EXPECT_TRUE(copy.empty());
    EXPECT_FALSE(copy.contains(NodeId{7}));
  }
}

TEST(CopySet, ASetThatIsEmptiedGivesItsMemoryBack) {
  CopySet set;
  for (std::uint32_t i = 0; i < 100; ++i) set.insert(NodeId{i});
  for (std::uint32_t i = 0; i < 100; ++i) set.erase(NodeId{i});
  set.insert(NodeId{65534});
  EXPECT_EQ(nodes_of(set), std::vector<std::uint32_t>{65534});
}

}  // namespace
}  // namespace krg::kddm

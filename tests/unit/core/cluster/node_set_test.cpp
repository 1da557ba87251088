#include "krg/cluster/node_set.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

namespace krg::cluster {
namespace {

using Reference = std::set<std::uint32_t>;

NodeSet make(std::string_view text) {
  auto set = NodeSet::parse(text);
  EXPECT_TRUE(set) << text;
  return set ? *set : NodeSet();
}

NodeSet of(const Reference& nodes) {
  NodeSet set;
  for (const std::uint32_t node : nodes) set.insert(NodeId{node});
  return set;
}

std::vector<std::uint32_t> listed(const NodeSet& set) {
  std::vector<std::uint32_t> out;
  for (const NodeId node : set) out.push_back(node.value);
  return out;
}

TEST(NodeSet, ParsesAnyOrderAndFormatsTheShortest) {
  EXPECT_EQ(make("2,3,6-10").format(), "2,3,6-10");
  EXPECT_EQ(make("10, 6-9 ,2,3,3").format(), "2,3,6-10");
  EXPECT_EQ(make("0-65534").size(), kNodesMax);
  EXPECT_EQ(make("1,2,3").format(), "1-3");
  EXPECT_EQ(make("").format(), "");
  EXPECT_EQ(make("4-4").format(), "4");
}

TEST(NodeSet, RefusesWhatIsNoSet) {
  for (const char* bad : {",", "1,", ",1", "1,,2", "-", "1-", "-1", "3-2", "a", "1 2", "1-2-3",
                          "65535", "0-65535", "99999999999999999999", "0x1", "+1", "1;2"}) {
    const auto set = NodeSet::parse(bad);
    ASSERT_FALSE(set) << bad;
    EXPECT_EQ(set.error().code(), Errc::invalid_argument) << bad;
  }
}

TEST(NodeSet, IteratesCountsAndIndexesInOrder) {
  const NodeSet set = make("2,3,6-8");
  EXPECT_THAT(listed(set), testing::ElementsAre(2, 3, 6, 7, 8));
  for (std::size_t i = 0; i < set.size(); ++i) EXPECT_EQ(set.index_of(set.nth(i)), i);
  EXPECT_EQ(set.index_of(NodeId{5}), 2u);
  EXPECT_EQ(set.index_of(NodeId{100}), 5u);
  EXPECT_EQ(set.min(), NodeId{2});
  EXPECT_EQ(set.max(), NodeId{8});
  EXPECT_TRUE(listed(NodeSet()).empty());
}

TEST(NodeSet, OperationsAgreeWithStdSet) {
  std::mt19937 random(1);
  for (int round = 0; round < 300; ++round) {
    Reference a;
    Reference b;
    for (int i = 0; i < 20; ++i) {
      a.insert(random() % 40);
      b.insert(random() % 40);
    }
    Reference both;
    Reference either;
    Reference only;
    for (std::uint32_t n = 0; n < 40; ++n) {
      if (a.count(n) && b.count(n)) both.insert(n);
      if (a.count(n) || b.count(n)) either.insert(n);
      if (a.count(n) && !b.count(n)) only.insert(n);
      EXPECT_EQ(of(a).contains(NodeId{n}), a.count(n) == 1);
    }
    EXPECT_EQ(of(a) & of(b), of(both));
    EXPECT_EQ(of(a) | of(b), of(either));
    EXPECT_EQ(of(a) - of(b), of(only));
    EXPECT_EQ(make(of(a).format()), of(a));
    EXPECT_TRUE(of(both).is_subset_of(of(a)));
  }
}

TEST(NodeSet, EraseSplitsARange) {
  NodeSet set = NodeSet::first(5);
  set.erase(NodeId{2});
  set.erase(NodeId{7});
  EXPECT_EQ(set.format(), "0,1,3,4");
}

TEST(NodeSet, SurvivesTheWire) {
  const NodeSet set = make("0,5-9,65534");
  const auto back = wire::decode<NodeSet>(wire::encode(set));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, set);
}

TEST(NodeSet, TheWireMayGiveRangesInAnyOrderButNotOutOfBounds) {
  const std::vector<NodeRange> shuffled = {{7, 9}, {1, 3}, {2, 5}};
  const auto merged = wire::decode<NodeSet>(wire::encode(shuffled));
  ASSERT_TRUE(merged);
  EXPECT_EQ(merged->format(), "1-5,7-9");
  for (const NodeRange bad : {NodeRange{3, 2}, NodeRange{0, kNodesMax}, NodeRange{~0u, ~0u}}) {
    EXPECT_FALSE(wire::decode<NodeSet>(wire::encode(std::vector<NodeRange>{bad})));
  }
}

}  // namespace
}  // namespace krg::cluster

#include "krg/testing/fabric_conformance.h"

// Connecting: who is connected with whom, how often, and who is refused.
namespace krg::testing {

TEST_P(FabricConformance, OneSideConnectsAndBothAreUp) {
  LocalNode& a = open(1);
  LocalNode& b = open(2, Incarnation{9});
  ASSERT_TRUE(join(a, b));
  EXPECT_EQ(a.to(b.id).peer(), (fabric::Identity{b.id, Incarnation{9}}));
  EXPECT_EQ(b.to(a.id).peer(), (fabric::Identity{a.id, Incarnation{1}}));
  ASSERT_TRUE(send(a, b.id, pattern(100, 1)));
  ASSERT_TRUE(send(b, a.id, pattern(100, 2)));
  EXPECT_TRUE(until(
      [&] { return a.sink.links[0].arrived.size() == 1 && b.sink.links[0].arrived.size() == 1; }));
}

TEST_P(FabricConformance, AddressIsPrintableWithoutSpaces) {
  const std::string address = open(1).fabric->address();
  EXPECT_FALSE(address.empty());
  for (const char c : address) EXPECT_TRUE(c > ' ' && c < 127) << static_cast<int>(c);
}

TEST_P(FabricConformance, BothSidesConnectAtOnceAndShareOneConnection) {
  for (std::uint32_t round = 0; round < 5; ++round) {
    LocalNode& a = open(10 + 2 * round);
    LocalNode& b = open(11 + 2 * round);
    connect(a, b.id, b.fabric->address());
    connect(b, a.id, a.fabric->address());
    ASSERT_TRUE(until([&] { return a.sink.up_count() > 0 && b.sink.up_count() > 0; }));
    pass(std::chrono::milliseconds(50));
    EXPECT_EQ(a.sink.links.size(), 1u);
    EXPECT_EQ(b.sink.links.size(), 1u);
    ASSERT_TRUE(send(a, b.id, pattern(10, 1)));
    ASSERT_TRUE(send(b, a.id, pattern(10, 2)));
    EXPECT_TRUE(until([&] {
      return a.sink.links[0].arrived.size() == 1 && b.sink.links[0].arrived.size() == 1;
    }));
    EXPECT_TRUE(a.sink.failures.empty() && b.sink.failures.empty());
  }
}

TEST_P(FabricConformance, ConnectingAgainDoesNothing) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  connect(a, b.id, b.fabric->address());
  ASSERT_TRUE(join(a, b));
  connect(a, b.id, b.fabric->address());
  connect(b, a.id, a.fabric->address());
  pass(std::chrono::milliseconds(50));
  EXPECT_EQ(a.sink.links.size(), 1u);
  EXPECT_EQ(b.sink.links.size(), 1u);
  EXPECT_TRUE(a.sink.failures.empty() && b.sink.failures.empty());
}

TEST_P(FabricConformance, ConnectingToNobodyFailsByTheDeadline) {
  LocalNode& gone = open(2);
  const std::string address = gone.fabric->address();
  gone.fabric.reset();
  LocalNode& a = open(1);
  a.fabric->connect(NodeId{2}, address, in(std::chrono::seconds(1)));
  ASSERT_TRUE(until([&] { return !a.sink.failures.empty(); }, std::chrono::seconds(3)));
  EXPECT_EQ(a.sink.failures[0].node, NodeId{2});
  pass(std::chrono::milliseconds(20));
  EXPECT_EQ(a.sink.failures.size(), 1u);
  EXPECT_TRUE(a.sink.links.empty());
}

TEST_P(FabricConformance, GarbageAsAddressFails) {
  LocalNode& a = open(1);
  a.fabric->connect(NodeId{2}, "no such place", in(std::chrono::seconds(1)));
  ASSERT_TRUE(until([&] { return !a.sink.failures.empty(); }, std::chrono::seconds(3)));
  EXPECT_TRUE(a.sink.links.empty());
}

TEST_P(FabricConformance, ConnectingToAPeerThatDoesNotAnswerFailsByTheDeadline) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  stage().pause(b.id, true);
  a.fabric->connect(b.id, b.fabric->address(), in(std::chrono::milliseconds(300)));
  ASSERT_TRUE(until([&] { return !a.sink.failures.empty(); }, std::chrono::seconds(3)));
  EXPECT_TRUE(a.sink.links.empty());
  stage().pause(b.id, false);
}

TEST_P(FabricConformance, WrongKeyIsRefused) {
  LocalNode& b = open(2);
  fabric::Options stranger = options(NodeId{1});
  stranger.key[31] ^= std::byte{1};
  LocalNode& a = open(stranger);
  connect(a, b.id, b.fabric->address());
  ASSERT_TRUE(until([&] { return !a.sink.failures.empty(); }));
  pass(std::chrono::milliseconds(20));
  EXPECT_TRUE(a.sink.links.empty());
  EXPECT_TRUE(b.sink.links.empty());
  LocalNode& c = open(3);
  EXPECT_TRUE(join(c, b)) << "the refusal hurt others";
}

TEST_P(FabricConformance, AnotherNodeAtTheAddressIsRefused) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  connect(a, NodeId{5}, b.fabric->address());
  ASSERT_TRUE(until([&] { return !a.sink.failures.empty(); }));
  EXPECT_EQ(a.sink.failures[0].node, NodeId{5});
  EXPECT_EQ(a.sink.up_count(), 0u);
}

TEST_P(FabricConformance, EveryNodeConnectsWithEveryOther) {
  constexpr std::uint32_t kNodes = 6;
  std::vector<LocalNode*> nodes;
  for (std::uint32_t i = 0; i < kNodes; ++i) nodes.push_back(&open(i));
  for (LocalNode* from : nodes) {
    for (LocalNode* to : nodes) {
      if (from != to) connect(*from, to->id, to->fabric->address());
    }
  }
  EXPECT_TRUE(until([&] {
    return std::ranges::all_of(nodes,
                               [](LocalNode* n) { return n->sink.up_count() == kNodes - 1; });
  }));
  pass(std::chrono::milliseconds(50));
  for (LocalNode* node : nodes) EXPECT_EQ(node->sink.links.size(), kNodes - 1);
}

}  // namespace krg::testing

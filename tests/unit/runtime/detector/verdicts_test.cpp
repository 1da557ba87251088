// Goal    one bad observer condemns nobody, and a cut-off group can not shield its own.
#include "krg/detector/verdicts.h"

#include <gtest/gtest.h>

namespace krg::detector {
namespace {

using std::chrono::milliseconds;

Peer peer(std::uint32_t node) { return {NodeId{node}, Incarnation{1}}; }

class VerdictsOf : public ::testing::Test {
 protected:
  void build(std::uint32_t nodes) {
    verdicts_.clear();
    std::vector<NodeId> ids;
    std::vector<Peer> peers;
    for (std::uint32_t i = 0; i < nodes; ++i) {
      ids.push_back(NodeId{i});
      peers.push_back(peer(i));
    }
    rings_ = std::make_shared<const Rings>(ids);
    verdicts_.set_view(peers, rings_);
  }
  bool report(std::uint32_t from, std::uint32_t subject, Evidence evidence) {
    return verdicts_.report(NodeId{from}, peer(subject), evidence, now_);
  }
  std::vector<std::uint32_t> condemned() const {
    std::vector<std::uint32_t> result;
    for (const Verdict& verdict : verdicts_.decide(now_)) {
      result.push_back(verdict.subject.node.value);
    }
    return result;
  }
  using Nodes = std::vector<std::uint32_t>;

  TimePoint now_{std::chrono::seconds(10)};
  std::shared_ptr<const Rings> rings_;
  Verdicts verdicts_;
};

TEST_F(VerdictsOf, TwoThirdsOfTheObserversMakeOneSilent) {
  build(4);
  report(0, 3, Evidence::silent);
  EXPECT_EQ(condemned(), Nodes{});
  report(1, 3, Evidence::silent);
  EXPECT_EQ(condemned(), Nodes{3});
  report(1, 3, Evidence::well);
  EXPECT_EQ(condemned(), Nodes{});
}

TEST_F(VerdictsOf, AnAccusationThatIsNotRepeatedFades) {
  build(3);
  report(0, 2, Evidence::silent);
  report(1, 2, Evidence::silent);
  EXPECT_EQ(condemned(), Nodes{2});
  now_ = now_ + milliseconds(1300);
  EXPECT_EQ(condemned(), Nodes{});
}

TEST_F(VerdictsOf, OneThatHearsNobodyCondemnsNobody) {
  for (const std::uint32_t nodes : {3u, 4u, 5u, 8u}) {
    build(nodes);
    for (std::uint32_t i = 0; i + 1 < nodes; ++i) report(nodes - 1, i, Evidence::silent);
    EXPECT_EQ(condemned(), Nodes{}) << nodes;
  }
}

TEST_F(VerdictsOf, TheCutOffCanNotVouchForEachOther) {
  build(9);
  for (std::uint32_t from = 0; from < 5; ++from) {
    for (std::uint32_t subject = 5; subject < 9; ++subject) {
      report(from, subject, Evidence::silent);
    }
  }
  EXPECT_EQ(condemned(), (Nodes{5, 6, 7, 8}));
}

TEST_F(VerdictsOf, AnEndNeedsTwoWitnessesIfThereAreTwo) {
  build(5);
  EXPECT_TRUE(report(0, 4, Evidence::ended)) << "the first: others should look";
  EXPECT_EQ(condemned(), Nodes{});
  EXPECT_FALSE(report(2, 4, Evidence::ended));
  EXPECT_EQ(condemned(), Nodes{4});
  now_ = now_ + std::chrono::hours(1);
  EXPECT_EQ(condemned(), Nodes{4}) << "an end does not fade";
}

TEST_F(VerdictsOf, OfTwoNodesOneWitnessIsAllThereIs) {
  build(2);
  report(0, 1, Evidence::ended);
  EXPECT_EQ(condemned(), Nodes{1});
}

TEST_F(VerdictsOf, ReportsOfOtherLivesAndOfStrangersDoNotCount) {
  build(3);
  verdicts_.report(NodeId{0}, {NodeId{2}, Incarnation{2}}, Evidence::silent, now_);
  verdicts_.report(NodeId{7}, peer(2), Evidence::silent, now_);
  report(1, 2, Evidence::silent);
  EXPECT_EQ(condemned(), Nodes{});
}

}  // namespace
}  // namespace krg::detector

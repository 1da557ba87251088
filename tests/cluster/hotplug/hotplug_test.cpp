// Goal    what membership promises, one promise a test.
// Method  cores in virtual time with drifting clocks; hotplug_rules.cpp holds throughout.
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "hotplug_chaos.h"
#include "hotplug_world.h"
#include "krg/testing/matchers.h"
#include "krg/testing/seed.h"

namespace krg::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class Hotplug : public ::testing::Test {
 protected:
  void build(std::uint32_t nodes, std::uint32_t spare = 0, hotplug::Options core = {}) {
    HotplugWorldOptions options;
    options.seed = seed();
    options.nodes = nodes;
    options.spare = spare;
    options.core = core;
    build(options);
  }
  void build(const HotplugWorldOptions& options) {
    world_ = std::make_unique<HotplugWorld>(options);
    ASSERT_TRUE(world_->run_until([&] { return world_->settled(); }, seconds(5)))
        << world_->describe();
    world_->run_for(seconds(2));
  }
  void TearDown() override {
    ASSERT_TRUE(world_);
    EXPECT_EQ(world_->violation(), "") << world_->describe();
  }
  bool member(std::uint32_t node) const {
    return std::find_if(world_->newest().records.begin(), world_->newest().records.end(),
                        [&](const hotplug::Record& record) {
                          return record.member.node.value == node && record.is_member();
                        }) != world_->newest().records.end();
  }
  // Nodes `first` ... of the world are cut off from the others.
  void cut_from(std::uint32_t first) {
    std::vector<unsigned> groups(world_->size());
    for (std::uint32_t i = first; i < groups.size(); ++i) groups[i] = 1;
    world_->partition(groups);
  }

  std::unique_ptr<HotplugWorld> world_;
};

class HotplugOf : public Hotplug, public ::testing::WithParamInterface<std::uint32_t> {};

TEST_P(HotplugOf, AKilledNodeIsOutOfTheViewWithin100Ms) {
  build(GetParam());
  const std::uint32_t victim = world_->coordinator() == 0 ? GetParam() - 1 : 0;
  world_->kill(victim, false);
  EXPECT_TRUE(world_->run_until([&] { return !member(victim); }, milliseconds(100)))
      << world_->describe();
}

TEST_P(HotplugOf, AKilledCoordinatorIsOutOfTheViewWithin100Ms) {
  build(GetParam());
  const std::uint32_t victim = world_->coordinator();
  world_->kill(victim, false);
  EXPECT_TRUE(world_->run_until([&] { return !member(victim); }, milliseconds(100)))
      << world_->describe();
  EXPECT_TRUE(world_->run_until([&] { return world_->settled(); }, milliseconds(500)))
      << world_->describe();
}

TEST_P(HotplugOf, AHostThatIsCutOffIsOutWithinFiveSecondsAndKnowsIt) {
  build(GetParam());
  const std::uint32_t victim = GetParam() - 1;
  cut_from(victim);
  world_->run_for(seconds(2));
  EXPECT_FALSE(world_->serves(victim));
  EXPECT_ERROR(world_->core(victim).serving(TimePoint{Duration::max()}), Errc::no_quorum);
  EXPECT_TRUE(world_->run_until([&] { return !member(victim); }, seconds(3))) << world_->describe();
}

TEST_P(HotplugOf, ACoordinatorThatIsCutOffIsOutWithinFiveSeconds) {
  build(GetParam());
  std::vector<unsigned> groups(world_->size());
  const std::uint32_t victim = world_->coordinator();
  groups[victim] = 1;
  world_->partition(groups);
  EXPECT_TRUE(world_->run_until([&] { return !member(victim); }, seconds(5))) << world_->describe();
  EXPECT_TRUE(world_->run_until([&] { return world_->coordinator() != victim; }, seconds(1)));
}

TEST_P(HotplugOf, ANodeThatStopsForASecondStays) {
  build(GetParam());
  for (std::uint32_t node : {std::uint32_t{0}, GetParam() - 1}) {
    const Epoch before = world_->newest().epoch;
    world_->stop(node);
    world_->run_for(seconds(1));
    world_->resume(node);
    EXPECT_TRUE(world_->run_until([&] { return world_->settled(); }, seconds(3)));
    EXPECT_TRUE(member(node));
    // Another may lead meanwhile; nobody may go.
    EXPECT_LE(world_->newest().epoch.value, before.value + 1);
    EXPECT_EQ(world_->newest().members().size(), GetParam());
  }
}

TEST_P(HotplugOf, OnePercentLossForTenMinutesExpelsNobody) {
  build(GetParam());
  world_->set_loss(10);
  // 64 nodes for a minute are as many messages as 6 for ten.
  world_->run_for(seconds(GetParam() > 16 ? 60 : 600));
  EXPECT_EQ(world_->newest().members().size(), GetParam()) << world_->describe();
}

INSTANTIATE_TEST_SUITE_P(Nodes, HotplugOf, ::testing::Values(3, 4, 5, 16, 64),
                         [](const auto& info) { return std::to_string(info.param); });

TEST_F(Hotplug, TheMajorityGoesOnTheMinorityRefusesAndRejoinsClean) {
  build(5);
  cut_from(3);
  world_->run_for(seconds(2));
  for (const std::uint32_t node : {3u, 4u}) {
    EXPECT_ERROR(world_->core(node).serving(TimePoint{Duration::max()}), Errc::no_quorum);
  }
  EXPECT_TRUE(world_->run_until([&] { return !member(3) && !member(4); }, seconds(3)));
  for (const std::uint32_t node : {0u, 1u, 2u}) EXPECT_TRUE(world_->serves(node));
  world_->heal();
  EXPECT_TRUE(world_->run_until([&] { return world_->over(3) && world_->over(4); }, seconds(3)));
  EXPECT_EQ(world_->why_over(3), Errc::stale);
  world_->start(3);
  world_->start(4);
  EXPECT_TRUE(world_->run_until(
      [&] { return world_->settled() && world_->newest().members().size() == 5; }, seconds(10)))
      << world_->describe();
}

TEST_F(Hotplug, ANodeJoinsAndLeavesWithoutInterruption) {
  build(3, 1);
  world_->start(3);
  ASSERT_TRUE(world_->run_until([&] { return world_->settled() && member(3); }, seconds(5)))
      << world_->describe();
  world_->leave(3, 3);
  ASSERT_TRUE(world_->run_until([&] { return world_->over(3); }, seconds(5))) << world_->describe();
  EXPECT_EQ(world_->why_over(3), Errc::ok);
  EXPECT_EQ(world_->newest().find(NodeId{3})->member.state, cluster::NodeState::possible);
  world_->run_for(milliseconds(10));
  EXPECT_EQ(world_->aborts(3), 0u) << "who has left is not told that it did not";
  // The leaver may hear it before the others do.
  EXPECT_TRUE(world_->run_until([&] { return world_->settled(); }, milliseconds(100)))
      << world_->describe();
}

TEST_F(Hotplug, TheCoordinatorCanLeaveFromAnySize) {
  for (const std::uint32_t nodes : {2u, 3u, 5u}) {
    build(nodes);
    const std::uint32_t leader = world_->coordinator();
    world_->leave(nodes - 1, leader);
    ASSERT_TRUE(world_->run_until([&] { return world_->over(leader); }, seconds(20)))
        << world_->describe();
    EXPECT_EQ(world_->why_over(leader), Errc::ok);
    EXPECT_TRUE(world_->run_until([&] { return world_->settled(); }, seconds(3)))
        << world_->describe();
    EXPECT_EQ(world_->violation(), "");
  }
}

// Goal    a death and a leave at a time, of two of three voters, are not the end of a cluster.
// Method  the leaver is asked to go before anybody can know that the other has died.
TEST_F(Hotplug, AVoterMayLeaveWhileAnotherHasJustDied) {
  for (const bool coordinator : {false, true}) {
    build(3);
    const std::uint32_t leader = world_->coordinator();
    const std::uint32_t dead = (leader + 1) % 3;
    const std::uint32_t leaver = coordinator ? leader : (leader + 2) % 3;
    world_->kill(dead, true);
    world_->leave(leaver, leaver);
    ASSERT_TRUE(world_->run_until([&] { return world_->over(leaver); }, seconds(20)))
        << world_->describe();
    EXPECT_EQ(world_->why_over(leaver), Errc::ok);
    EXPECT_TRUE(world_->run_until([&] { return world_->settled(); }, seconds(5)))
        << world_->describe();
  }
}

TEST_F(Hotplug, ALaterLifeReplacesAnEarlierOneOnlyAfterItsLease) {
  build(3);
  cut_from(2);
  const TimePoint cut = world_->now();
  world_->kill(2, true);
  world_->heal();
  world_->start(2);
  ASSERT_TRUE(world_->run_until([&] { return world_->settled() && member(2); }, seconds(10)))
      << world_->describe();
  EXPECT_EQ(world_->newest().find(NodeId{2})->member.incarnation, Incarnation{2});
  EXPECT_GT(world_->now() - cut, milliseconds(1500));
}

TEST_F(Hotplug, AJoinThatCannotBePreparedIsGivenUpAndUndone) {
  HotplugWorldOptions options;
  options.seed = seed();
  options.nodes = 3;
  options.spare = 1;
  options.refuse_per_mille = 1000;
  build(options);
  world_->start(3);
  ASSERT_TRUE(world_->run_until([&] { return world_->over(3); }, seconds(20)))
      << world_->describe();
  EXPECT_EQ(world_->why_over(3), Errc::cancelled);
  EXPECT_FALSE(member(3));
  world_->run_for(seconds(1));
  EXPECT_GE(world_->aborts(0) + world_->aborts(1) + world_->aborts(2), 3u);
  EXPECT_TRUE(world_->run_until([&] { return world_->settled(); }, seconds(3)));
}

TEST_F(Hotplug, ALeaveThatCannotBeDrainedIsCancelledAndTheNodeServesOn) {
  HotplugWorldOptions options;
  options.seed = seed();
  options.nodes = 3;
  options.hang_per_mille = 1000;
  options.core.drain_limit = seconds(1);
  build(options);
  world_->leave(1, 1);
  ASSERT_TRUE(world_->run_until([&] { return world_->unfinished_leaves() == 0; }, seconds(20)));
  EXPECT_EQ(world_->last_leave(), Errc::cancelled);
  EXPECT_TRUE(member(1));
  EXPECT_TRUE(world_->run_until([&] { return world_->settled(); }, seconds(3)))
      << world_->describe();
}

TEST_F(Hotplug, OfTwoNodesTheCoordinatorGoesOnAndTheOtherStops) {
  build(2);
  cut_from(1);
  EXPECT_TRUE(world_->run_until([&] { return !member(1); }, seconds(5)));
  EXPECT_TRUE(world_->serves(0));
  EXPECT_FALSE(world_->serves(1));
}

TEST_F(Hotplug, OfTwoNodesWithoutFailoverNeitherGoesOn) {
  hotplug::Options options;
  options.two_nodes = hotplug::TwoNodes::no_failover;
  build(2, 0, options);
  cut_from(1);
  world_->run_for(seconds(6));
  EXPECT_FALSE(world_->serves(0));
  EXPECT_FALSE(world_->serves(1));
  world_->heal();
  EXPECT_TRUE(world_->run_until([&] { return world_->settled(); }, seconds(5)))
      << world_->describe();
}

TEST_F(Hotplug, VotersAreReplacedUntilOneNodeIsLeft) {
  build(7);
  EXPECT_EQ(world_->core(world_->coordinator()).voters().size(), 5u);
  for (std::uint32_t left = 6; left >= 1; --left) {
    std::uint32_t victim = 0;
    while (!world_->alive(victim) || victim == world_->coordinator() ||
           !world_->quorum_without(victim)) {
      ASSERT_LT(++victim, 7u) << world_->describe();
    }
    world_->kill(victim, true);
    ASSERT_TRUE(world_->run_until([&] { return world_->settled(); }, seconds(8)))
        << world_->describe();
    world_->run_for(seconds(4));
    const std::size_t wanted = left >= 5 ? 5 : left >= 3 ? 3 : 1;
    EXPECT_EQ(world_->core(world_->coordinator()).voters().size(), wanted) << world_->describe();
  }
}

// Goal    the rules hold, and the cluster comes to rest, whatever happens.
// Method  seeds 1 to 500, or the one that is given; `sim_hotplug_runs` tries more.
TEST(HotplugChaos, NoSeedBreaksARule) {
  const std::uint64_t first = seed_given() ? seed() : 1;
  const std::uint64_t last = seed_given() ? seed() : 500;
  for (std::uint64_t n = first; n <= last; ++n) {
    const ScopedSeed scoped(n);
    const ChaosResult result = run_chaos(n);
    ASSERT_TRUE(result.good) << "seed " << n << ": " << result.text;
  }
}

TEST(HotplugChaos, ASeedReplaysExactly) {
  for (std::uint64_t n = 1; n <= 5; ++n) EXPECT_EQ(run_chaos(n).trace, run_chaos(n).trace);
}

}  // namespace
}  // namespace krg::testing

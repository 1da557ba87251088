// What the detector promises, for clusters of 4 to 10,000 nodes in virtual time.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

#include "detector_net.h"
#include "krg/testing/seed.h"

namespace krg::detector::testing {
namespace {

using namespace std::chrono_literals;  // NOLINT

double ms(Duration d) { return std::chrono::duration<double, std::milli>(d).count(); }

// Runs until every judge that is left has declared `node` failed, and returns how long that took.
Duration until_known(DetectorNet& net, NodeId node, Duration limit) {
  const TimePoint start = net.now();
  while (net.judges_against(node) < net.live_judges() && net.now() - start < limit) {
    net.run_for(1ms);
  }
  return net.now() - start;
}

// `body` for several seeds, or for the one that the user gave.
template <class Body>
void for_seeds(std::uint64_t count, Body body) {
  const std::uint64_t first = krg::testing::seed();
  for (std::uint64_t s = first; s < first + (krg::testing::seed_given() ? 1 : count); ++s) {
    const krg::testing::ScopedSeed scoped(s);
    body(s);
    if (::testing::Test::HasFailure()) return;
  }
}

std::uint64_t seeds_for(std::uint32_t nodes) { return nodes <= 64 ? 200 : nodes <= 1'000 ? 20 : 3; }

class DetectorSim : public ::testing::TestWithParam<std::uint32_t> {};

INSTANTIATE_TEST_SUITE_P(Nodes, DetectorSim, ::testing::Values(4u, 64u, 1'000u, 10'000u),
                         [](const auto& nodes) { return std::to_string(nodes.param); });

// Goal    a killed process is known in less than 100 ms where the fabric reports it.
// Method  one node alone, seldom one of its observers, has a connection to it.
TEST_P(DetectorSim, AKilledNodeIsKnownInMilliseconds) {
  Duration worst{};
  for_seeds(seeds_for(GetParam()), [&](std::uint64_t seed) {
    DetectorNet net(GetParam(), seed);
    net.run_for(700ms + Duration(net.random(500'000'000)));
    const NodeId victim = net.any_node();
    net.kill(victim, net.any_node(victim));
    const Duration took = until_known(net, victim, 1s);
    EXPECT_LT(took, 100ms);
    EXPECT_EQ(net.judges_against(victim), net.live_judges());
    EXPECT_FALSE(net.innocent_declared());
    worst = std::max(worst, took);
  });
  std::printf("killed node, %u nodes: known by all judges after at most %.0f ms\n", GetParam(),
              ms(worst));
}

// Goal    a node that is cut off is known in less than 5 s at defaults, by everybody but itself;
//         and it does not take the others for failed.
TEST_P(DetectorSim, ACutOffNodeIsKnownWithinFiveSeconds) {
  Duration worst{};
  for_seeds(seeds_for(GetParam()), [&](std::uint64_t seed) {
    DetectorNet net(GetParam(), seed);
    net.run_for(700ms + Duration(net.random(500'000'000)));
    const NodeId victim = net.any_node();
    net.cut_off(victim);
    const Duration took = until_known(net, victim, 10s);
    EXPECT_LT(took, 5s);
    EXPECT_EQ(net.judges_against(victim), net.live_judges());
    EXPECT_FALSE(net.innocent_declared());
    worst = std::max(worst, took);
  });
  std::printf("cut-off node, %u nodes: known by all judges after at most %.0f ms\n", GetParam(),
              ms(worst));
}

// Goal    a node that is stopped for a second is not even accused, nor does it accuse others.
TEST_P(DetectorSim, ANodeStoppedForASecondIsNotAccused) {
  for_seeds(seeds_for(GetParam()), [&](std::uint64_t seed) {
    DetectorNet net(GetParam(), seed);
    net.run_for(700ms + Duration(net.random(500'000'000)));
    net.stop(net.any_node(), 1s);
    net.run_for(GetParam() > 1'000 ? 2s : 6s);
    EXPECT_EQ(net.accusations(), 0u);
    EXPECT_TRUE(net.declared().empty());
  });
}

// Goal    what the detector costs a node does not grow with the cluster.
TEST(DetectorSimLoad, DatagramsPerNodeDoNotDependOnTheSizeOfTheCluster) {
  constexpr Duration kTime = 5s;
  const double most = 2.0 * kRings * double(kTime / Options{}.interval);
  for (const std::uint32_t nodes : {4u, 64u, 1'000u, 10'000u}) {
    DetectorNet net(nodes, krg::testing::seed());
    net.run_for(kTime);
    std::uint64_t busiest = 0;
    for (std::uint32_t n = 0; n < nodes; ++n) busiest = std::max(busiest, net.sent(NodeId{n}));
    const double mean = double(net.sent_by_all()) / nodes;
    std::printf("load, %u nodes: %.1f datagrams a node and second, the busiest %.1f\n", nodes,
                mean / 5, double(busiest) / 5);
    EXPECT_LE(double(busiest), most + 2 * kRings);  // The first interval may hold two ticks.
    if (nodes >= 1'000) {
      EXPECT_GT(mean, 0.95 * most);
      EXPECT_LE(mean, most + 1);
    }
  }
}

void lose_one_percent(std::uint32_t nodes, std::uint64_t seeds) {
  for_seeds(seeds, [&](std::uint64_t seed) {
    DetectorNet net(nodes, seed, {}, 0.01);
    net.run_for(10min);
    EXPECT_TRUE(net.declared().empty());
    EXPECT_GT(net.sent_by_all(), std::uint64_t{nodes} * 600 * 35);  // The time was used.
  });
}

TEST(DetectorSimLoss, OnePercentForTenMinutesExpelsNobodyOf64) { lose_one_percent(64, 5); }
TEST(DetectorSimLoss, OnePercentForTenMinutesExpelsNobodyOf1000) { lose_one_percent(1'000, 1); }

// Goal    a tenth of all datagrams lost and nodes stopped now and then expel nobody, and yet a node
//         that is cut off is known.
TEST(DetectorSimFaults, LossAndStopsTogetherExpelOnlyTheOneThatIsCutOff) {
  for_seeds(10, [&](std::uint64_t seed) {
    DetectorNet net(16, seed, {}, 0.1);
    for (int i = 0; i < 40; ++i) {
      net.stop(net.any_node(), Duration(net.random(1'000'000'000)));
      net.run_for(500ms);
    }
    EXPECT_TRUE(net.declared().empty());
    const NodeId victim = net.any_node();
    net.cut_off(victim);
    until_known(net, victim, 20s);
    EXPECT_EQ(net.judges_against(victim), net.live_judges());
    EXPECT_FALSE(net.innocent_declared());
  });
}

// Goal    machines that all stand still, as when a hypervisor is suspended, do not expel each
//         other; without the rule about late observers they would.
TEST(DetectorSimFaults, AClusterThatStopsAsAWholeExpelsNobody) {
  Options without;
  without.late = 1h;
  for (const Options& options : {Options{}, without}) {
    std::size_t declared = 0;
    for_seeds(10, [&](std::uint64_t seed) {
      DetectorNet net(64, seed, options);
      net.run_for(1s);
      for (std::uint32_t n = 0; n < 64; ++n) {
        net.stop(NodeId{n}, 10s + Duration(net.random(300'000'000)));
      }
      net.run_for(30s);
      declared += net.declared().size();
    });
    EXPECT_EQ(declared > 0, options.late == without.late) << declared << " verdicts";
  }
}

// Goal    many nodes that fail at once do not hide each other by taking the observers with them.
TEST(DetectorSimFaults, AThirdOfTheClusterFailsAtOnceAndAllOfItIsKnown) {
  for_seeds(20, [&](std::uint64_t seed) {
    DetectorNet net(96, seed);
    net.run_for(1s);
    std::vector<NodeId> victims;
    while (victims.size() < 32) {
      victims.push_back(net.any_node());
      net.cut_off(victims.back());
    }
    net.run_for(5s);
    for (const NodeId victim : victims) EXPECT_EQ(net.judges_against(victim), net.live_judges());
    EXPECT_FALSE(net.innocent_declared());
  });
}

}  // namespace
}  // namespace krg::detector::testing

// The channels over the simulated fabric: whatever connections, nodes and views do, messages come
// once and in order, and all of them as long as both ends stay.
#include <gtest/gtest.h>

#include <cstdio>

#include "channel_chaos.h"
#include "krg/log/log.h"
#include "krg/testing/sanitized.h"
#include "krg/testing/seed.h"

namespace krg::cluster_test {
namespace {

// A sanitizer takes ten times as long.
constexpr std::uint64_t kSeeds = krg::testing::kSanitized ? 150 : 500;

void add(std::uint64_t& to, std::uint64_t n) { to += n; }

// Goal    no seed loses, repeats or disorders a message, mixes views, or leaves anything behind.
// Method  500 runs of channel_chaos.h. That everything the code is there for did happen is checked
//         too, or the runs would prove nothing.
TEST(ChannelSim, EveryMessageArrivesOnceAndInOrderWhileBothEndsStay) {
  log::set_level(log::Level::off);
  kddm::ChannelStats sum;
  const std::uint64_t count = testing::seed_given() ? 1 : kSeeds;
  for (std::uint64_t i = 0; i < count; ++i) {
    const testing::ScopedSeed scoped(testing::seed() + i);
    const ChannelChaosResult result = run_channel_chaos(testing::seed());
    ASSERT_EQ(result.complaint, "");
    add(sum.sent, result.stats.sent);
    add(sum.resent, result.stats.resent);
    add(sum.duplicates, result.stats.duplicates);
    add(sum.early, result.stats.early);
    add(sum.beyond, result.stats.beyond);
    add(sum.old, result.stats.old);
    add(sum.strangers, result.stats.strangers);
    add(sum.later, result.stats.later);
    add(sum.later_dropped, result.stats.later_dropped);
    add(sum.large, result.stats.large);
    add(sum.bundles, result.stats.bundles);
    add(sum.bundled, result.stats.bundled);
  }
  std::printf(
      "%llu messages sent, %llu again, %llu early, %llu of later views, %llu in %llu bundles\n",
      static_cast<unsigned long long>(sum.sent), static_cast<unsigned long long>(sum.resent),
      static_cast<unsigned long long>(sum.early), static_cast<unsigned long long>(sum.later),
      static_cast<unsigned long long>(sum.bundled), static_cast<unsigned long long>(sum.bundles));
  if (testing::seed_given()) return;
  EXPECT_GT(sum.resent, 0u);
  EXPECT_GT(sum.duplicates, 0u);
  EXPECT_GT(sum.early, 0u);
  EXPECT_GT(sum.old, 0u);
  EXPECT_GT(sum.later, 0u);
  EXPECT_GT(sum.later_dropped, 0u);
  EXPECT_GT(sum.large, 0u);
  EXPECT_GT(sum.bundles, 0u);
}

TEST(ChannelSim, SameSeedLivesTheSameLife) {
  log::set_level(log::Level::off);
  for (std::uint64_t i = 0; i < 5; ++i) {
    const std::uint64_t seed = testing::seed() + i;
    EXPECT_EQ(run_channel_chaos(seed).trace, run_channel_chaos(seed).trace);
  }
}

}  // namespace
}  // namespace krg::cluster_test

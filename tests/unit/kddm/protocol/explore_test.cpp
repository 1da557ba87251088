// Goal    the protocol keeps its promises in every order of events that small clusters can have.
// Method  breadth-first over all interleavings; `--large` explores more operations and objects.
#include "explore.h"

#include <gtest/gtest.h>

#include <chrono>
#include <cstdio>

#include "options.h"

namespace krg::kddm_protocol::testing {
namespace {

void expect_clean(const Bounds& b) {
  const auto begin = std::chrono::steady_clock::now();
  const Findings f = explore(b);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
  std::printf(
      "%u nodes, %u objects%s, %u operations, %u failures: %llu states, %llu steps, "
      "%llu at rest, depth %u, %.1f s\n",
      b.nodes, b.objects, b.populated ? " (live)" : "", b.operations, b.failures,
      static_cast<unsigned long long>(f.states), static_cast<unsigned long long>(f.steps),
      static_cast<unsigned long long>(f.at_rest), f.depth, took.count());
  std::fflush(stdout);
  std::string trace;
  for (const std::string& line : f.trace) trace += "  " + line + "\n";
  EXPECT_EQ(f.wrong, "") << trace;
  EXPECT_TRUE(f.complete);
  EXPECT_GT(f.at_rest, 0u);
}

TEST(KddmProtocolExplore, TwoNodesNeverBreakAPromise) {
  expect_clean({.nodes = 2, .operations = 5, .failures = 1});
  expect_clean({.nodes = 2, .operations = 4, .failures = 1, .populated = true});
}

TEST(KddmProtocolExplore, ThreeNodesNeverBreakAPromise) {
  expect_clean({.nodes = 3, .operations = 3, .failures = 1});
  expect_clean({.nodes = 3, .operations = 2, .failures = 1, .populated = true});
  expect_clean({.nodes = 3, .operations = 4, .failures = 0, .populated = true});
}

TEST(KddmProtocolExplore, TwoObjectsDoNotDisturbEachOther) {
  expect_clean({.nodes = 2, .objects = 2, .operations = 3, .failures = 1});
}

TEST(KddmProtocolExplore, LargerBoundsOnRequest) {
  if (!options().large) return expect_clean({.nodes = 2, .operations = 1, .failures = 1});
  expect_clean({.nodes = 2, .operations = 8, .failures = 1});
  expect_clean({.nodes = 3, .operations = 3, .failures = 1, .populated = true});
  expect_clean({.nodes = 3, .operations = 4, .failures = 1});
  expect_clean({.nodes = 2, .objects = 2, .operations = 4, .failures = 1});
  expect_clean({.nodes = 3, .objects = 2, .operations = 2, .failures = 1});
  expect_clean({.nodes = 3, .objects = 2, .operations = 2, .failures = 1, .populated = true});
}

}  // namespace
}  // namespace krg::kddm_protocol::testing

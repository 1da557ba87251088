// Goal    the checker finds every planted fault, so its silence about the protocol means something.
// Method  the search of explore_test.cpp with one fault each, until the first violation.
#include "mutants.h"

#include <gtest/gtest.h>

#include <array>
#include <cstdio>

#include "explore.h"

namespace krg::kddm_protocol::testing {
namespace {

constexpr std::array<Bounds, 4> kSearches = {{
    {.nodes = 2, .operations = 3, .failures = 1},
    {.nodes = 3, .operations = 2, .failures = 1, .populated = true},
    {.nodes = 3, .operations = 2, .failures = 1},
    {.nodes = 3, .operations = 3, .failures = 0, .populated = true},
}};

TEST(KddmProtocolMutants, EachIsCaught) {
  ASSERT_GE(mutants().size(), 10u);
  for (const Mutant& mutant : mutants()) {
    Findings found;
    for (const Bounds& bounds : kSearches) {
      found = explore(bounds, &mutant);
      if (!found.wrong.empty()) break;
    }
    EXPECT_NE(found.wrong, "") << mutant.name;
    std::printf("%-60s %8llu states: %s\n", std::string(mutant.name).c_str(),
                static_cast<unsigned long long>(found.states), found.wrong.c_str());
  }
}

}  // namespace
}  // namespace krg::kddm_protocol::testing

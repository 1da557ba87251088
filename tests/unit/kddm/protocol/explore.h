// All worlds that can follow from the first one, breadth first.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "world.h"

namespace krg::kddm_protocol::testing {

struct Findings {
  std::uint64_t states = 0;
  std::uint64_t steps = 0;
  std::uint64_t at_rest = 0;
  std::uint32_t depth = 0;         // Steps to the farthest state.
  bool complete = false;           // Every state was visited.
  std::string wrong;               // Empty: nothing was found.
  std::vector<std::string> trace;  // The shortest way to it.
};

// Stops at the first violation, or at `limit` states.
Findings explore(const Bounds& bounds, const Mutant* mutant = nullptr, std::uint64_t limit = ~0ull);

}  // namespace krg::kddm_protocol::testing

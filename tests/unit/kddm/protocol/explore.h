// Every state that a configuration can come to, breadth first; the shortest way to a wrong one.
#pragma once

#include <cstdint>
#include <string>

#include "world.h"

namespace krg::kddm::check {

struct Limits {
  std::uint64_t states = 0;  // 0: none.
  double seconds = 0;        // 0: none.
};

struct Found {
  std::uint64_t states = 0;
  std::uint64_t transitions = 0;
  std::uint64_t rests = 0;  // States in which nothing more happens by itself.
  unsigned depth = 0;       // Moves on the longest of the shortest ways.
  bool complete = false;    // All states were seen, within the limits.
  bool cycle = false;       // The cluster can go round in circles (looked for on request).
  World::Coverage coverage{};
  std::string error;  // The first violation.
  std::string trace;  // The moves that lead to it.
};

// Cost     memory: 16 bytes a state, and the bytes of two levels.
Found explore(const Config& config, const Limits& limits, bool find_cycles = false);

}  // namespace krg::kddm::check

// Very many sets on three nodes: whether they can be made, used and destroyed, and what they cost.
#pragma once

#include <cstdint>

#include "krg/error/result.h"

namespace krg::kddm {

struct SetCost {
  std::uint64_t bytes = 0;  // Of a set, on the three nodes together.
  double us = 0;            // To make one.
};

// Makes `count` of them, uses each tenth from some node, and destroys each hundredth.
Result<SetCost> make_many_sets(std::uint32_t count);

}  // namespace krg::kddm

// What main() has read for seed().
#pragma once

#include <cstdint>

namespace krg::testing {

struct SeedState {
  std::uint64_t seed = 1;
  bool given = false;
};

SeedState& seed_state() noexcept;

}  // namespace krg::testing

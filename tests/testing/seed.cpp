#include "krg/testing/seed.h"

#include "seed_state.h"

namespace krg::testing {

SeedState& seed_state() noexcept {
  static SeedState state;
  return state;
}

std::uint64_t seed() noexcept { return seed_state().seed; }
bool seed_given() noexcept { return seed_state().given; }

ScopedSeed::ScopedSeed(std::uint64_t seed) noexcept : before_(seed_state().seed) {
  seed_state().seed = seed;
}

ScopedSeed::~ScopedSeed() { seed_state().seed = before_; }

}  // namespace krg::testing

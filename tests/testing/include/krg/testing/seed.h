// testing/seed.h: the seed of a random test, so that a failure can be replayed.
//
// Model    --seed N, else KRG_TEST_SEED, else 1. A failing test prints it.
// Threads  immutable after main() has begun.
// Blocks   never.
// Source   tests/testing/README.md
#pragma once

#include <cstdint>

namespace krg::testing {

std::uint64_t seed() noexcept;

// For a test that tries many seeds: while this lives, a failure names `seed` instead.
class ScopedSeed {
 public:
  explicit ScopedSeed(std::uint64_t seed) noexcept;
  ScopedSeed(const ScopedSeed&) = delete;
  ScopedSeed& operator=(const ScopedSeed&) = delete;
  ~ScopedSeed();

 private:
  const std::uint64_t before_;
};

// Whether the seed was given by the user, who then wants that one alone.
bool seed_given() noexcept;

}  // namespace krg::testing

// sim/random.h: the one source of chance in a simulation.
//
// Model    a sequence that its seed determines, the same on every machine and with every compiler.
// Threads  owned by one thread.
// Blocks   never. Cost: about 1 ns a number.
// Source   Blackman and Vigna, "Scrambled linear pseudorandom number generators", 2019
//          (xoshiro256**)
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace krg::sim {

class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept {
    for (std::uint64_t& word : state_) {  // splitmix64, as its authors advise.
      seed += 0x9e3779b97f4a7c15u;
      std::uint64_t z = seed;
      z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
      z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
      word = z ^ (z >> 31);
    }
  }

  std::uint64_t next() noexcept {
    const std::uint64_t result = std::rotl(state_[1] * 5, 7) * 9;
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }
  // A number below `n`; its bias, n / 2^64, does not matter here. Requires n > 0.
  std::uint64_t below(std::uint64_t n) noexcept { return next() % n; }
  // From `low` to `high`, both included.
  std::uint64_t between(std::uint64_t low, std::uint64_t high) noexcept {
    return low + below(high - low + 1);
  }
  bool chance(unsigned per_mille) noexcept { return below(1000) < per_mille; }

 private:
  std::array<std::uint64_t, 4> state_;
};

}  // namespace krg::sim

// What the benches of kddm's leases share: how they are timed, and what is done with the bytes.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>

#include "krg/harness/contestant.h"
#include "krg/share/types.h"

namespace krg::bench {

inline constexpr std::size_t kObjects = 1024;  // A power of two.
inline constexpr std::size_t kBatch = 256;     // Operations between two looks at the clock.
inline constexpr kddm::SetId kSet{4711};

// One operation on the object or lock of this number, whose bytes it touches.
template <class Once>
Result<harness::Sample> time_batches(const harness::Job& job, Once once) {
  using Clock = std::chrono::steady_clock;
  harness::Latencies times;
  std::uint32_t at = 1;
  const auto end = Clock::now() + job.length;
  for (auto begin = Clock::now(); begin < end;) {
    for (std::size_t i = 0; i < kBatch; ++i) {
      at = at * 1664525 + 1013904223;  // Numerical Recipes' generator: no order that helps.
      if (!once(at / 65536 % kObjects)) return Error(Errc::corrupt, "a local hit was none");
    }
    const auto now = Clock::now();
    times.add(std::chrono::duration<double, std::nano>(now - begin).count() / kBatch);
    begin = now;
  }
  return times.summary();
}

// Reads or writes the first word, for the lease to be of some use.
inline bool touch(std::span<const std::byte> bytes) {
  const volatile std::byte* const first = bytes.data();
  (void)*first;
  return true;
}
inline bool touch(std::span<std::byte> bytes) {
  volatile std::byte* const first = bytes.data();
  *first = std::byte{1};
  return true;
}

}  // namespace krg::bench

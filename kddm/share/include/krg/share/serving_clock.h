// share/serving_clock.h: the clock that the node's lease is measured with on the fast path.
//
// Model    ticks of the processor's counter where it runs evenly and alike on all processors (the
//          kernel itself keeps time by it, or a guest's does and they were found alike), else
//          nanoseconds of CLOCK_MONOTONIC.
// Threads  now() is safe; a ServingClock is owned by one thread.
// Blocks   never.
// Source   Intel SDM volume 3B and AMD APM volume 2, "Time-Stamp Counter" (invariant TSC)
#pragma once

#include <cstdint>

#include "krg/base/deadline.h"
#include "krg/shm/futex.h"

namespace krg::kddm {

enum class Ticks : std::uint8_t { processor, monotonic };

// Cost: 10 ns by the processor, 20 to 40 by the kernel's page. Not ordered against other memory
// accesses: off by what a processor keeps in flight, some tens of nanoseconds.
inline std::uint64_t ticks_now(Ticks ticks) noexcept {
#if defined(__x86_64__)
  if (ticks == Ticks::processor) return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  if (ticks == Ticks::processor) {
    std::uint64_t value;
    asm volatile("mrs %0, cntvct_el0" : "=r"(value));
    return value;
  }
#endif
  (void)ticks;
  return static_cast<std::uint64_t>(shm::monotonic_now().since_origin.count());
}

// krgd's side: instants into ticks.
class ServingClock {
 public:
  // What can be trusted on this machine. Cost: once a process, up to 2 ms and a visit to each
  // processor.
  static Ticks best() noexcept;

  // Cost  a millisecond for Ticks::processor: it measures the rate.
  explicit ServingClock(Ticks ticks) noexcept;
  Ticks ticks() const noexcept { return ticks_; }
  // The tick at `until`, or a little before it: by a thousandth of the time that is left. Never
  // after it. 0 for an instant that has passed; the largest for one that never comes.
  std::uint64_t tick_at(TimePoint until) noexcept;

 private:
  double rate_at(TimePoint now, std::uint64_t tick) noexcept;

  Ticks ticks_;
  std::uint64_t first_tick_ = 0;
  TimePoint first_;
  std::uint64_t last_tick_ = 0;  // When it was asked last.
  TimePoint last_;
  double recent_ = 1e18;
};

}  // namespace krg::kddm

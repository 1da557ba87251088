// reactor/clock.h: where time comes from.
//
// Model    a Clock gives the present instant; the real one is CLOCK_MONOTONIC, the virtual one
//          stands still until somebody advances it. ticks() is the processor's counter, for the
//          waiting policy only: it never decides what a program does, so a simulation may ignore
//          it.
// Threads  RealClock is safe; VirtualClock is owned by one thread.
// Blocks   never.
// Source   clock_gettime(2); docs/design/reactor.md
#pragma once

#include <cstdint>

#include "krg/base/deadline.h"

namespace krg::reactor {

class Clock {
 public:
  virtual ~Clock() = default;
  // Cost  about 25 ns for the real clock.
  virtual TimePoint now() const noexcept = 0;
};

class RealClock final : public Clock {
 public:
  TimePoint now() const noexcept override;
};

class VirtualClock final : public Clock {
 public:
  TimePoint now() const noexcept override { return now_; }
  // Requires  `t` is not before now().
  void advance_to(TimePoint t) noexcept;

 private:
  TimePoint now_{};
};

// The processor's cycle counter. Cost: about 8 ns.
inline std::uint64_t ticks() noexcept {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  std::uint64_t value;
  asm volatile("mrs %0, cntvct_el0" : "=r"(value));
  return value;
#else
  return static_cast<std::uint64_t>(RealClock().now().since_origin.count());
#endif
}

// How many ticks() pass in a nanosecond; measured once per process, in about 0.2 ms.
double ticks_per_ns() noexcept;

// How many ticks() a system call takes that does nothing; measured once per process. Cost: 16 of
// them.
std::uint64_t ticks_per_syscall() noexcept;

}  // namespace krg::reactor

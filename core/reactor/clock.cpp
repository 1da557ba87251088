#include "krg/reactor/clock.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <ctime>
#include <limits>

#include "krg/base/assert.h"

namespace krg::reactor {

TimePoint RealClock::now() const noexcept {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return {std::chrono::seconds(t.tv_sec) + Duration(t.tv_nsec)};
}

void VirtualClock::advance_to(TimePoint t) noexcept {
  KRG_ASSERT(t >= now_);
  now_ = t;
}

double ticks_per_ns() noexcept {
  static const double rate = [] {
    const RealClock clock;
    const TimePoint begin = clock.now();
    const std::uint64_t first = ticks();
    TimePoint end;
    do {
      end = clock.now();
    } while (end - begin < std::chrono::microseconds(200));
    return static_cast<double>(ticks() - first) / static_cast<double>((end - begin).count());
  }();
  return rate;
}

std::uint64_t ticks_per_syscall() noexcept {
  static const std::uint64_t least = [] {
    // The least of a few: what interrupts one of them does not count.
    std::uint64_t best = std::numeric_limits<std::uint64_t>::max();
    for (int i = 0; i < 16; ++i) {
      const std::uint64_t begin = ticks();
      // Past libc, which may remember the answer.
      static_cast<void>(::syscall(SYS_getppid));
      best = std::min(best, ticks() - begin);
    }
    return best;
  }();
  return least;
}

}  // namespace krg::reactor

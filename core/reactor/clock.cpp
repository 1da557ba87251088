#include "krg/reactor/clock.h"

#include <ctime>

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

}  // namespace krg::reactor

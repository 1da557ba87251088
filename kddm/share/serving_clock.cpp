#include "krg/share/serving_clock.h"
#include "krg/base/spin_pause.h"

#include <array>
#include <cstdio>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace krg::kddm {
namespace {

constexpr Duration kMeasured = std::chrono::milliseconds(1);
constexpr int kTries = 5;

#if defined(__x86_64__)
// The counter runs at one rate in all power states.
bool is_invariant() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}

// The kernel drops the counter when it finds the processors' counters apart.
bool kernel_keeps_time_by_it() noexcept {
  std::FILE* const file =
      std::fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
  if (file == nullptr) return false;
  std::array<char, 32> text{};
  const bool read = std::fgets(text.data(), text.size(), file) != nullptr;
  std::fclose(file);
  return read && std::strncmp(text.data(), "tsc", 3) == 0;
}
#endif

}  // namespace

Ticks ServingClock::best() noexcept {
#if defined(__x86_64__)
  return is_invariant() && kernel_keeps_time_by_it() ? Ticks::processor : Ticks::monotonic;
#elif defined(__aarch64__)
  return Ticks::processor;
#else
  return Ticks::monotonic;
#endif
}

ServingClock::ServingClock(Ticks ticks) noexcept : ticks_(ticks) {
  // The instant is read first: a pause between the two makes the rate lower, and so every tick
  // earlier, not later. Of some tries the one with the shortest pause.
  Duration shortest = Duration::max();
  for (int tries = 0; tries < kTries; ++tries) {
    const TimePoint before = shm::monotonic_now();
    const std::uint64_t tick = ticks_now(ticks_);
    const Duration took = shm::monotonic_now() - before;
    if (took >= shortest) continue;
    shortest = took;
    first_ = before;
    first_tick_ = tick;
  }
  if (ticks_ == Ticks::monotonic) return;
  while (shm::monotonic_now() - first_ < kMeasured) spin_pause();
}

std::uint64_t ServingClock::tick_at(TimePoint until) const noexcept {
  if (Deadline(until).is_never()) return ~std::uint64_t{0};
  // The tick is read first: a pause between the two makes the answer earlier, not later.
  const std::uint64_t tick = ticks_now(ticks_);
  const TimePoint now = shm::monotonic_now();
  if (until <= now) return 0;
  if (ticks_ == Ticks::monotonic) return static_cast<std::uint64_t>(until.since_origin.count());
  const double rate =
      static_cast<double>(tick - first_tick_) / static_cast<double>((now - first_).count());
  const double left = static_cast<double>((until - now).count()) * rate;
  // The rate is known to some microseconds in the time since `first_`, at least a millisecond.
  return tick + static_cast<std::uint64_t>(left * 0.999);
}

}  // namespace krg::kddm

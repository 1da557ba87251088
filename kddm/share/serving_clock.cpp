#include "krg/share/serving_clock.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "krg/base/spin_pause.h"

namespace krg::kddm {
namespace {

constexpr Duration kMeasured = std::chrono::milliseconds(1);
constexpr int kTries = 5;
constexpr int kLooks = 16;

#if defined(__x86_64__)
// The counter runs at one rate in all power states.
bool is_invariant() noexcept {
  unsigned a = 0, b = 0, c = 0, d = 0;
  return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}

bool clock_source_is(const char* name) noexcept {
  std::FILE* const file =
      std::fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource", "re");
  if (file == nullptr) return false;
  std::array<char, 32> text{};
  const bool read = std::fgets(text.data(), text.size(), file) != nullptr;
  std::fclose(file);
  return read && std::strncmp(text.data(), name, std::strlen(name)) == 0;
}

// By how much a counter's reading may differ from the kernel's clock: what one look takes.
struct Offset {
  double least = 0;
  double most = 0;
};

Offset offset_here(double rate) noexcept {
  Offset best{0, 1e18};
  for (int i = 0; i < kLooks; ++i) {
    const auto before = static_cast<double>(shm::monotonic_now().since_origin.count());
    const double at = static_cast<double>(__builtin_ia32_rdtsc()) / rate;
    const auto after = static_cast<double>(shm::monotonic_now().since_origin.count());
    if (after - before < best.most - best.least) best = {before - at, after - at};
  }
  return best;
}

double rate_here() noexcept {
  const TimePoint begin = shm::monotonic_now();
  const std::uint64_t first = __builtin_ia32_rdtsc();
  while (shm::monotonic_now() - begin < kMeasured) spin_pause();
  const auto ticks = static_cast<double>(__builtin_ia32_rdtsc() - first);
  return ticks / static_cast<double>((shm::monotonic_now() - begin).count());
}

// A guest's kernel keeps time by its host's word on the counter, under another name. So it is asked
// here whether all processors that this process may use show the same, as the kernel does for its
// own at boot: each one's offset from the one clock has to agree with the first one's.
bool agrees_on_all_processors() noexcept {
  cpu_set_t all;
  if (::sched_getaffinity(0, sizeof all, &all) != 0) return false;
  const double rate = rate_here();
  const TimePoint begin = shm::monotonic_now();
  Offset least_most{-1e18, 1e18};
  bool agree = rate > 0;
  for (int cpu = 0; agree && cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &all)) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    if (::sched_setaffinity(0, sizeof one, &one) != 0) continue;  // It has gone offline.
    const Offset here = offset_here(rate);
    // The rate is known to a thousandth, and the offsets drift apart by that.
    const double drift = 1e-3 * static_cast<double>((shm::monotonic_now() - begin).count());
    least_most.least = std::max(least_most.least, here.least - drift);
    least_most.most = std::min(least_most.most, here.most + drift);
    agree = least_most.least <= least_most.most;
  }
  return ::sched_setaffinity(0, sizeof all, &all) == 0 && agree;
}

// The kernel drops the counter when it finds the processors' counters apart.
bool kernel_keeps_time_by_it() noexcept {
  return clock_source_is("tsc") ||
         ((clock_source_is("kvm-clock") || clock_source_is("hyperv_clocksource_tsc_page")) &&
          agrees_on_all_processors());
}
#endif

}  // namespace

Ticks ServingClock::best() noexcept {
#if defined(__x86_64__)
  static const bool good = is_invariant() && kernel_keeps_time_by_it();
  return good ? Ticks::processor : Ticks::monotonic;
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
  last_ = first_;
  last_tick_ = first_tick_;
  if (ticks_ == Ticks::monotonic) return;
  while (shm::monotonic_now() - first_ < kMeasured) spin_pause();
}

// Of all time and of the last while the lower one: a guest that has moved to a slower host, or
// whose counter was set back, has ticks that last longer from then on.
double ServingClock::rate_at(TimePoint now, std::uint64_t tick) noexcept {
  const auto since = [&](TimePoint then, std::uint64_t tick_then) {
    if (tick <= tick_then || now <= then) return 0.0;
    return static_cast<double>(tick - tick_then) / static_cast<double>((now - then).count());
  };
  const double rate = std::min(since(first_, first_tick_), recent_);
  if (now - last_ < kMeasured) return rate;
  recent_ = since(last_, last_tick_);
  last_ = now;
  last_tick_ = tick;
  return std::min(rate, recent_);
}

std::uint64_t ServingClock::tick_at(TimePoint until) noexcept {
  if (Deadline(until).is_never()) return ~std::uint64_t{0};
  // The tick is read first: a pause between the two makes the answer earlier, not later.
  const std::uint64_t tick = ticks_now(ticks_);
  const TimePoint now = shm::monotonic_now();
  if (until <= now) return 0;
  if (ticks_ == Ticks::monotonic) return static_cast<std::uint64_t>(until.since_origin.count());
  const double rate = rate_at(now, tick);
  const double left = static_cast<double>((until - now).count()) * rate;
  // The rate is known to some microseconds in the time since `first_`, at least a millisecond.
  return tick + static_cast<std::uint64_t>(left * 0.999);
}

}  // namespace krg::kddm

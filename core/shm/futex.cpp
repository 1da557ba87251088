#include "krg/shm/futex.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cerrno>

namespace krg::shm {

Woken futex_wait(const FutexWord& word, std::uint32_t expected, Deadline deadline) noexcept {
  timespec until{};
  const timespec* limit = nullptr;
  if (!deadline.is_never()) {
    const auto ns = deadline.at().since_origin.count();
    if (ns <= 0) return Woken::timed_out;
    until.tv_sec = ns / 1'000'000'000;
    until.tv_nsec = ns % 1'000'000'000;
    limit = &until;
  }
  // WAIT_BITSET takes an absolute time, of CLOCK_MONOTONIC; plain WAIT a relative one.
  const long result = ::syscall(SYS_futex, &word, FUTEX_WAIT_BITSET, expected, limit, nullptr,
                                FUTEX_BITSET_MATCH_ANY);
  return result != 0 && errno == ETIMEDOUT ? Woken::timed_out : Woken::maybe;
}

void futex_wake(FutexWord& word, int count) noexcept {
  ::syscall(SYS_futex, &word, FUTEX_WAKE, count, nullptr, nullptr, 0);
}

TimePoint monotonic_now() noexcept {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  return TimePoint{Duration(now.tv_sec * std::int64_t{1'000'000'000} + now.tv_nsec)};
}

}  // namespace krg::shm

#include "krg/shm/robust_word.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "krg/base/unique_fd.h"

namespace krg::shm {
namespace {

constexpr std::uint32_t kWaiters = 0x80000000u;
constexpr std::uint64_t kWaitersMask = kWaiters;
constexpr std::chrono::milliseconds kLookAfter{20};  // How long a waiter trusts an owner unseen.

// The low bits of the start time of a thread, in clock ticks since boot; 0: there is no such
// thread.
std::uint32_t start_of(std::uint32_t tid) noexcept {
  std::array<char, 64> name{};
  std::snprintf(name.data(), name.size(), "/proc/%u/stat", tid);
  const UniqueFd fd(::open(name.data(), O_RDONLY | O_CLOEXEC));
  if (!fd) return 0;
  std::array<char, 1024> text{};
  if (::read(fd.get(), text.data(), text.size() - 1) <= 0) return 0;
  // The name of the program, in parentheses, may hold anything; the start time is the 20th field
  // after it.
  const char* at = std::strrchr(text.data(), ')');
  if (at == nullptr) return 0;
  if (std::strncmp(at, ") Z", 3) == 0 || std::strncmp(at, ") X", 3) == 0) return 0;
  for (int field = 0; field < 20 && at != nullptr; ++field) at = std::strchr(at + 1, ' ');
  if (at == nullptr) return 0;
  const auto start = static_cast<std::uint32_t>(std::strtoull(at, nullptr, 10));
  return start == 0 ? 1 : start;
}

struct Self {
  std::uint32_t tid;
  std::uint64_t word;
};

Self read_self() noexcept {
  const auto tid = static_cast<std::uint32_t>(::syscall(SYS_gettid));
  return {tid, std::uint64_t{start_of(tid)} << 32 | tid};
}

// Cached per thread; a child of fork() is another thread.
const Self& self() noexcept {
  thread_local pid_t process = 0;
  thread_local Self cached{};
  if (process != ::getpid()) {
    process = ::getpid();
    cached = read_self();
  }
  return cached;
}

std::uint32_t tid_of(std::uint64_t word) noexcept {
  return static_cast<std::uint32_t>(word) & ~kWaiters;
}

bool alive(std::uint64_t word) noexcept {
  return start_of(tid_of(word)) == static_cast<std::uint32_t>(word >> 32);
}

}  // namespace

// One attempt on a word that was seen as `seen`; the word as it was found.
std::uint64_t RobustWord::take(std::uint64_t seen) noexcept {
  const std::uint64_t mine = self().word | (seen & kWaitersMask);
  word_.compare_exchange_strong(seen, mine, std::memory_order_acquire);
  return seen;
}

Result<RobustWord::Got> RobustWord::try_lock() noexcept {
  const std::uint64_t seen = word_.load(std::memory_order_relaxed);
  if (tid_of(seen) == 0) {
    if (take(seen) == seen) return Got::clean;
  } else if (!alive(seen) && take(seen) == seen) {
    return Got::owner_died;
  }
  return Error(Errc::would_block);
}

Result<RobustWord::Got> RobustWord::lock(Deadline deadline) noexcept {
  for (;;) {
    const std::uint32_t wakeups = wakeups_.load();
    std::uint64_t seen = word_.load(std::memory_order_relaxed);
    if (tid_of(seen) == 0) {
      if (take(seen) == seen) return Got::clean;
      continue;
    }
    if ((seen & kWaitersMask) == 0 && !word_.compare_exchange_strong(seen, seen | kWaitersMask)) {
      continue;
    }
    seen |= kWaitersMask;
    const TimePoint now = monotonic_now();
    if (deadline.passed(now)) return Error(Errc::timed_out);
    const Deadline look(std::min(deadline.at(), now + kLookAfter));
    if (futex_wait(wakeups_, wakeups, look) == Woken::timed_out && !alive(seen) &&
        take(seen) == seen) {
      return Got::owner_died;
    }
  }
}

void RobustWord::unlock() noexcept {
  // The mark of waiters goes too: those still waiting set it again before they sleep.
  const std::uint64_t was = word_.exchange(0, std::memory_order_release);
  if ((was & kWaitersMask) == 0) return;
  wakeups_.fetch_add(1);
  // All: one alone could take the lock without the mark, and the others would sleep on.
  futex_wake(wakeups_, kEveryone);
}

bool RobustWord::held_by_me() const noexcept {
  return (word_.load(std::memory_order_relaxed) & ~kWaitersMask) == self().word;
}

std::uint32_t RobustWord::owner() const noexcept {
  return tid_of(word_.load(std::memory_order_relaxed));
}

}  // namespace krg::shm

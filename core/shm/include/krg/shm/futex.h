// shm/futex.h: sleeping on a word that processes share.
//
// Model    wait() sleeps while the word holds the expected value; wake() ends the sleep of some.
//          The word decides, not the wake-up: after any return the caller looks at the word again.
// Threads  safe.
// Blocks   wait() until woken or until the deadline.
// Source   futex(2)
#pragma once

#include <atomic>
#include <cstdint>

#include "krg/base/deadline.h"

namespace krg::shm {

using FutexWord = std::atomic<std::uint32_t>;
static_assert(FutexWord::is_always_lock_free && sizeof(FutexWord) == 4);

enum class Woken { maybe, timed_out };

// `deadline` is an instant of CLOCK_MONOTONIC (reactor::RealClock).
// Returns at once if the word holds something else.
Woken futex_wait(const FutexWord& word, std::uint32_t expected, Deadline deadline) noexcept;
// Wakes at most `count` sleepers. Cost: a system call.
void futex_wake(FutexWord& word, int count) noexcept;
inline constexpr int kEveryone = 0x7fffffff;

// CLOCK_MONOTONIC, for deadlines of futex_wait where there is no reactor.
TimePoint monotonic_now() noexcept;

}  // namespace krg::shm

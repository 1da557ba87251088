// here.h: taking a lock whose object is on this node, without a call.
//
// Model    by the place where the object was found last, else by looking it up. While a task of
//          this node has it for writing, a short spin: a call to krgd costs more than most holders
//          take. Where that was in vain four times in a row, the next 63 do not spin: the holder is
//          not on a processor, or takes long. A mutex then sleeps until a holder of this node ends;
//          in no order, so after kFightMost krgd is asked, which serves those who ask in order.
// Threads  safe.
// Blocks   spins for some 10 us; sleeps for kFightMost at most.
// Source   docs/design/sync.md; glibc nptl/pthread_mutex_lock.c (PTHREAD_MUTEX_ADAPTIVE_NP)
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <utility>

#include "krg/task/space.h"

namespace krg {

inline constexpr int kSpins = 200;
inline constexpr std::uint8_t kVainMost = 4;
inline constexpr std::uint8_t kVainPause = kVainMost + 63;

inline constexpr Duration kFightMost = std::chrono::milliseconds(50);

inline void relax() noexcept {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

inline bool has_more_processors() noexcept {
  static const bool more = std::thread::hardware_concurrency() > 1;
  return more;
}

// Whether to spin now; counts the pause down, as it were.
inline bool may_spin(std::atomic<std::uint8_t>& in_vain) noexcept {
  const std::uint8_t so_far = in_vain.load(std::memory_order_relaxed);
  if (so_far < kVainMost) return has_more_processors();
  const auto next = static_cast<std::uint8_t>(so_far == kVainPause ? kVainMost - 1 : so_far + 1);
  in_vain.store(next, std::memory_order_relaxed);
  return false;
}

// `attempt(handle)` gives a lease, or one that says why it is none.
template <class Lease, class Attempt>
Lease spin_for(std::atomic<std::uint8_t>& in_vain, Lease lease, Attempt attempt) {
  if (!may_spin(in_vain)) return lease;
  for (int i = 0; i < kSpins && !lease && lease.miss() == kddm::Miss::writer; ++i) {
    relax();
    lease = attempt();
  }
  const std::uint8_t so_far = in_vain.load(std::memory_order_relaxed);
  in_vain.store(static_cast<std::uint8_t>(lease ? 0 : so_far + 1), std::memory_order_relaxed);
  return lease;
}

// Out of line from the way that hits.
template <class Lease, class Attempt>
[[gnu::noinline]] Lease take_otherwise(kddm::Space& space, kddm::SetId set, kddm::ObjectId object,
                                       auto& cell, Lease lease, bool spin, Attempt attempt) {
  if (lease.miss() == kddm::Miss::absent) {
    cell.found(space.handle_of(set, object));
    lease = attempt(cell.handle());
  }
  if (lease || !spin || lease.miss() != kddm::Miss::writer) return lease;
  return spin_for<Lease>(cell.in_vain, std::move(lease), [&] { return attempt(cell.handle()); });
}

}  // namespace krg

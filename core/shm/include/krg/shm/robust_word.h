// shm/robust_word.h: a lock in shared memory that survives the death of its holder.
//
// Model    the word holds its owner's thread id and the start of that thread, so that a reused id
//          is not taken for the owner. A waiter that has slept a while looks whether the owner
//          lives; the first to find it dead gets the lock and is told. All users must share one pid
//          namespace.
// Threads  safe, between threads and processes.
// Blocks   lock() until the deadline.
// Source   pthread_mutexattr_setrobust(3); set_robust_list(2) is not used: it needs the dying
//          thread's help
#pragma once

#include <atomic>
#include <cstdint>

#include "krg/base/deadline.h"
#include "krg/error/result.h"
#include "krg/shm/futex.h"

namespace krg::shm {

class RobustWord {
 public:
  enum class Got { clean, owner_died };

  // Takes the lock if it is free, or if its owner is dead.
  // Errors  would_block  a living thread holds it, perhaps this one.
  Result<Got> try_lock() noexcept;
  // Errors  timed_out
  Result<Got> lock(Deadline deadline) noexcept;
  // Requires  the calling thread holds it.
  void unlock() noexcept;

  bool held_by_me() const noexcept;
  // 0: free.
  std::uint32_t owner() const noexcept;

 private:
  std::uint64_t take(std::uint64_t seen) noexcept;

  // High half: when the owner started. Low half: kWaiters and the owner's thread id. 0 is free.
  std::atomic<std::uint64_t> word_{0};
  FutexWord wakeups_{0};  // Counts unlocks that found waiters.
  [[maybe_unused]] std::uint32_t unused_ = 0;
};
static_assert(sizeof(RobustWord) == 16 && std::atomic<std::uint64_t>::is_always_lock_free);

}  // namespace krg::shm

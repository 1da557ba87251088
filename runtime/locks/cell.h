// cell.h: a sync object, as its bytes and as a process knows it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <bit>
#include <cstdint>

#include "krg/locks/locks.h"
#include "krg/sync_calls/lock_word.h"

namespace krg {

using sync::LockWord;

// `holder` is 0, or the thread of this process that has the lock; depth, inconsistent and lease are
// that thread's. A thread may look whether it is itself: only itself can make or end that. A line
// for each: threads that use neighbours do not disturb each other.
struct alignas(64) Locks::Cell {
  std::atomic<pid_t> holder{0};
  std::uint32_t depth = 0;
  kddm::WriteLease lease;
  // Where the object lies on this node, as it was found last: a handle of the past is refused.
  std::atomic<std::uint64_t> place{std::bit_cast<std::uint64_t>(kddm::Handle{})};
  bool inconsistent = false;
  bool fenced = false;                   // The holder has a fence, and the object says so.
  std::atomic<std::uint8_t> in_vain{0};  // Spins in a row; see here.h.

  kddm::Handle handle() const noexcept {
    return std::bit_cast<kddm::Handle>(place.load(std::memory_order_relaxed));
  }
  void found(kddm::Handle handle) noexcept {
    place.store(std::bit_cast<std::uint64_t>(handle), std::memory_order_relaxed);
  }
};

}  // namespace krg

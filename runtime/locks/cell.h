// cell.h: a sync object, as its bytes and as a process knows it.
#pragma once

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "krg/locks/locks.h"

namespace krg {

// The bytes of a lock's object. Zero, as a first touch leaves them, is free.
struct LockWord {
  enum State : std::uint32_t { free = 0, held = 1, not_recoverable = 2 };

  std::uint32_t state;
  std::int32_t pid;
  std::int32_t thread;
  std::uint32_t spare[13];
};
static_assert(sizeof(LockWord) == 64 && std::is_trivially_copyable_v<LockWord>);
static_assert(offsetof(LockWord, pid) == 4 && offsetof(LockWord, thread) == 8);

// `holder` is 0, or the thread of this process that has the lock; all else is that thread's. A
// thread may look whether it is itself: only itself can make or end that.
struct Locks::Cell {
  std::atomic<pid_t> holder{0};
  std::uint32_t depth = 0;
  bool inconsistent = false;
  kddm::WriteLease lease;
};

}  // namespace krg

// sync_calls/lock_word.h: the bytes of a lock's object, as tasks write them and krgd shows them.
//
// Model    zero, as a first touch leaves them, is free. Sync objects that are no locks have other
//          bytes, without a kind.
// Threads  values.
// Blocks   never.
// Source   docs/decisions/0010-locks-are-leases.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

namespace krg::sync {

enum class LockKind : std::uint32_t { none = 0, mutex = 0x6d757478, rw_lock = 0x72776c6b };

struct LockWord {
  enum State : std::uint32_t { free = 0, held = 1, not_recoverable = 2 };

  std::uint32_t state;
  std::int32_t pid;
  std::int32_t thread;  // That has locked; of an rw_lock another one may unlock.
  LockKind kind;        // Of who has locked last.
  std::uint32_t last;   // The node where it was held last by somebody with a fence.
  std::uint32_t spare[11];
};
static_assert(sizeof(LockWord) == 64 && std::is_trivially_copyable_v<LockWord>);
static_assert(offsetof(LockWord, pid) == 4 && offsetof(LockWord, thread) == 8 &&
              offsetof(LockWord, kind) == 12 && offsetof(LockWord, last) == 16);

}  // namespace krg::sync

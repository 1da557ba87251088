// locks/futex.h: a word that tasks change and wait for, across the cluster.
//
// Model    16 words of 32 bits in an object of Locks, each a futex: waiting begins only if the word
//          still is what the caller says. Changing it wakes nobody: that is wake()'s. Waiters may
//          return without a reason, and look again.
// Threads  safe.
// Blocks   wait(): until it is woken, or until the timeout.
// Source   futex(2): FUTEX_WAIT_BITSET, FUTEX_WAKE_BITSET; docs/design/sync.md
#pragma once

#include <cstdint>

#include "krg/locks/sync_object.h"

namespace krg {

// A handle; copies are the same futex.
class Futex : private SyncObject {
 public:
  using SyncObject::kTimeout;
  static constexpr std::uint32_t kWords = kBytes / sizeof(std::uint32_t);
  static constexpr std::uint32_t kAll = sync::kAll;
  static constexpr std::uint32_t kAnyBit = sync::kAnyBit;

  // Requires  word < kWords.
  Futex(Locks& locks, std::uint64_t index, std::uint32_t word = 0) noexcept;

  // Errors  those of Space::get()
  Result<std::uint32_t> load() const;
  // The word becomes what `change` makes of it; gives what it was.
  // Errors  those of Space::grab()
  template <class Change>
  Result<std::uint32_t> update(Change change) {
    KRG_TRY_ASSIGN(kddm::WriteLease lease, grab(kTimeout));
    std::uint32_t value = 0;
    std::memcpy(&value, lease.bytes().data() + at_, sizeof value);
    const std::uint32_t changed = change(value);
    std::memcpy(lease.bytes().data() + at_, &changed, sizeof changed);
    return value;
  }
  // Cost    two calls to the object's home, and the object for reading.
  // Errors  would_block  the word is another; timed_out; those of Space::get() and of the gate
  Status wait(std::uint32_t expected, Duration timeout = kTimeout, std::uint32_t bits = kAnyBit);
  // How many wait who share a bit; up to `count`.
  // Errors  those of the gate
  Result<std::uint32_t> wake(std::uint32_t count = 1, std::uint32_t bits = kAnyBit);

 private:
  std::size_t at_;
};

}  // namespace krg

// locks/barrier.h: meeting points: all go on when all have come.
//
// Model    a Barrier is used again and again, in phases; a Latch opens once. Who dies before it has
//          come lets the others wait until their timeouts.
// Threads  safe.
// Blocks   until the others have come, or until the timeout.
// Source   pthread_barrier_wait(3p), std::latch; docs/design/sync.md
#pragma once

#include <cstdint>

#include "krg/locks/sync_object.h"

namespace krg {

// A handle; copies are the same barrier. All who use it say the same number of parties.
class Barrier : private SyncObject {
 public:
  using SyncObject::kTimeout;
  enum class Arrived : std::uint8_t { others, last };  // Who has ended the phase: another, or this.

  // Requires  parties > 0.
  Barrier(Locks& locks, std::uint64_t index, std::uint32_t parties) noexcept;

  // Cost    two calls to the barrier's home, its object for writing, and once more for reading.
  // Errors  timed_out  this one has not come; as those of Space::grab() and get() and of the gate
  //         lost  the phase died with a node
  Result<Arrived> arrive_and_wait(Duration timeout = kTimeout);

 private:
  struct Word;
  Result<Arrived> meet(Duration timeout);
  Result<Arrived> withdraw(std::uint32_t phase);
  Result<bool> over(std::uint32_t phase) const;

  std::uint32_t parties_;
};

// A handle; copies are the same latch. All who use it say the same count.
class Latch : private SyncObject {
 public:
  using SyncObject::kTimeout;

  Latch(Locks& locks, std::uint64_t index, std::uint64_t count) noexcept
      : SyncObject(locks, index), count_(count) {}

  // What is counted beyond `count` changes nothing.
  // Cost    its object for writing; and, when it opens, a call to its home.
  // Errors  those of Space::grab() and of the gate; lost  its count died with a node
  Status count_down(std::uint64_t by = 1);
  // Cost    of an open latch: a hit.
  // Errors  timed_out; those of Space::get() and of the gate
  Status wait(Duration timeout = kTimeout) const;
  // Not before what it stands for: who is told by this alone acquires itself.
  Result<bool> is_open() const { return look(kTimeout); }

 private:
  Result<bool> look(Duration timeout) const;

  std::uint64_t count_;
};

}  // namespace krg

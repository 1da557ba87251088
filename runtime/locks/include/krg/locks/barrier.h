// locks/barrier.h: meeting points: all go on when all have come.
//
// Model    a Barrier is used again and again, in phases; a Latch opens once. Who dies before it has
//          come lets the others wait until their timeouts.
// Threads  safe.
// Blocks   until the others have come, or until the timeout.
// Source   pthread_barrier_wait(3p), std::latch; docs/design/sync.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "krg/locks/sync_object.h"

namespace krg {

// How the values of all who meet become one.
enum class Reduce : std::uint8_t { sum, min, max };

// A handle; copies are the same barrier. All who use it say the same number of parties. Its
// object's bytes are not used: no death of a node loses a phase. Who has come and dies has come,
// but for the tasks of a node that is not in the cluster any more.
class Barrier : private SyncObject {
 public:
  using SyncObject::kTimeout;
  enum class Arrived : std::uint8_t { others, last };  // Who has ended the phase: another, or this.
  static constexpr std::size_t kReduceMost = sync::kReduceWords;

  // Requires  parties > 0.
  Barrier(Locks& locks, std::uint64_t index, std::uint32_t parties) noexcept;

  // Cost    a call to krgd; a message to the barrier's home and one from there for all of a node.
  // Errors  timed_out  this one has not come (or may have, if the home was not reached for 8 s);
  //         invalid_argument  others of the node say another number; those of the gate
  Result<Arrived> arrive_and_wait(Duration timeout = kTimeout);
  // A phase as well: `values` become, each by itself, the sum, least or largest of all parties'.
  // The sums of doubles are added in any order, and the same for all. Integers wrap around.
  // Requires  all say the same number of values, at most kReduceMost, and the same `how`; no more
  //           than `parties` come at a time.
  // Errors  those of arrive_and_wait(); the values are then unchanged
  Status all_reduce(Reduce how, std::span<std::int64_t> values, Duration timeout = kTimeout);
  Status all_reduce(Reduce how, std::span<double> values, Duration timeout = kTimeout);

 private:
  template <class T>
  Status reduce(sync::Reduce how, std::span<T> values, Duration timeout);

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

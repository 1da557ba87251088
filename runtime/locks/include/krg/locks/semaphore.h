// locks/semaphore.h: a number of permits that all tasks of a cluster take and give back.
//
// Model    the object keeps by how much the value differs from its first one, which all who use it
//          say, and how many wait, so that giving back calls nobody if nobody waits. A task that
//          dies gives nothing back. Permits go to who comes first, not to who has waited longest.
// Threads  safe; whoever gives back need not have taken.
// Blocks   acquire(): until there is a permit, or until the timeout.
// Source   sem_wait(3), sem_post(3); docs/design/sync.md
#pragma once

#include <cstdint>

#include "krg/locks/sync_object.h"

namespace krg {

// A handle; copies are the same semaphore.
class Semaphore : private SyncObject {
 public:
  using SyncObject::kTimeout;
  static constexpr std::int64_t kMax = 0x7fffffff;

  // Requires  0 <= initial <= kMax.
  Semaphore(Locks& locks, std::uint64_t index, std::int64_t initial) noexcept;

  // Cost    where the semaphore was used last and there are permits: as a mutex. Else its object
  //         comes, or two calls to its home and a wake-up.
  // Errors  timed_out; those of Space::grab() and of the gate: none is taken
  //         lost  its value died with a node
  Status acquire(Duration timeout = kTimeout);
  // Errors  would_block  there is none; those above
  Status try_acquire();
  // Errors  limit_reached  the value would be above kMax; those of Space::grab(): none is given
  //         those of the gate: they are given, but who waits may have to wait longer
  Status release(std::int64_t count = 1);
  // At some instant.
  Result<std::int64_t> value() const;

 private:
  struct Word;
  Status take(Duration timeout, bool try_only);
  // What was released with the permit that this one has taken. Errors  it is given back
  Status see();

  std::int64_t initial_;
};

}  // namespace krg

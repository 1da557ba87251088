// locks/once.h: something that one task of the cluster does, once.
//
// Model    who comes first does it and holds the object meanwhile; the others wait for that. When
//          it fails, or who does it dies, the next one does it.
// Threads  safe.
// Blocks   until it is done, or until the timeout.
// Source   pthread_once(3p); docs/design/sync.md
#pragma once

#include <cstdint>
#include <utility>

#include "krg/fences/fences.h"
#include "krg/locks/sync_object.h"

namespace krg {

// A handle; copies are the same.
class Once : private SyncObject {
 public:
  using SyncObject::kTimeout;

  Once(Locks& locks, std::uint64_t index) noexcept : SyncObject(locks, index) {}

  // `work()` gives a Status, and does not use this object.
  // Cost    of what is done: a hit.
  // Errors  those of the work, for who did it; timed_out; those of Space::get() and grab()
  //         lost  whether it was done died with a node
  template <class Work>
  Status call(Work work, Duration timeout = kTimeout) {
    const Until until(timeout);
    {
      KRG_TRY_ASSIGN(const kddm::ReadLease lease, get(timeout));
      if (read<std::uint64_t>(lease) != 0) return fences::acquire();
    }
    KRG_TRY_ASSIGN(kddm::WriteLease lease, grab(until.left()));
    KRG_TRY(fences::acquire());
    if (read<std::uint64_t>(lease) != 0) return {};
    KRG_TRY(work());
    KRG_TRY(fences::release());
    write(lease, std::uint64_t{1});
    return {};
  }
};

}  // namespace krg

// locks/locks.h: a named set of sync objects that all tasks of a cluster share.
//
// Model    an array of `count` sync objects, all free at first, each an object of 64 bytes in one
//          KDDM set. Whoever opens the name first makes it. A lock is a lease of its object.
// Threads  safe. A child of fork() opens its own.
// Blocks   open(): until done, or 60 s for each of its calls to krgd.
// Source   docs/design/sync.md; docs/decisions/0010-locks-are-leases.md
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "krg/error/result.h"
#include "krg/store/ids.h"
#include "krg/task/space.h"

namespace krg {

class Waits;

class Locks {
 public:
  static constexpr std::uint64_t kMaxCount = 1 << 20;

  // Requires  `space` outlives it; a process opens a name once, and its threads share that.
  // Errors  invalid_argument  count is 0 or above kMaxCount
  //         already_exists  the name is of another count, or of something else
  //         those of Space::open()
  static Result<std::unique_ptr<Locks>> open(kddm::Space& space, const std::string& name,
                                             std::uint64_t count);
  Locks(const Locks&) = delete;
  Locks& operator=(const Locks&) = delete;
  // Unlocks what this process still holds; as a task's death does, so the next one is told.
  ~Locks();

  std::uint64_t count() const noexcept { return count_; }

 private:
  friend class Mutex;
  friend class RwLock;
  friend class SyncObject;
  struct Cell;
  Locks(kddm::Space& space, kddm::SetId set, std::uint64_t count);

  // Made when somebody waits, or wakes, for the first time. Errors  those of the gate
  Result<Waits*> waits();

  kddm::Space* space_;
  kddm::SetId set_;
  std::uint64_t count_;
  std::int32_t pid_;               // Asking the kernel costs more than a lock.
  std::unique_ptr<Cell[]> cells_;  // What this process knows of each.
  std::mutex making_waits_;
  std::unique_ptr<Waits> waits_;
};

}  // namespace krg

// task/range.h: leases of many objects of a set, one after the other, by a task.
//
// Model    krgd is asked for pieces of the range while the caller is busy with those before them:
//          one call brings the copies of up to kPiece objects to this node, and holds none of them.
//          A lease begins when next() is called for it, then mostly without a call; so leases begin
//          in the order of the ids, and two that take all of a range do not block each other.
// Threads  owned by one thread at a time.
// Blocks   next() and rest(): until done, or until the Use::timeout since the range began.
// Source   Kerrighed kddm; docs/design/kddm.md, "Ranges"
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "krg/error/result.h"
#include "krg/share/local_store.h"
#include "krg/store/ids.h"

namespace krg::kddm {

// Of ReadLease or WriteLease.
template <class Lease>
class TaskRange {
 public:
  static constexpr std::uint64_t kPiece = 64;

  TaskRange(TaskRange&&) noexcept;
  TaskRange& operator=(TaskRange&&) noexcept;
  // Leases that next() has given go on.
  ~TaskRange();

  bool done() const noexcept;
  // What next() gives.
  ObjectId object() const noexcept;
  // The lease of object(), or why there is none; the object after it comes next in both cases.
  // Requires  !done(). Errors  those of Space::get()
  Result<Lease> next();
  // The leases of all that are left; a task has some 3,800 at most.
  // Errors  of the first that can not be had: then nothing of it is leased
  Result<std::vector<Lease>> rest();

 private:
  friend class Space;
  class Impl;
  explicit TaskRange(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

using ReadRange = TaskRange<ReadLease>;
using WriteRange = TaskRange<WriteLease>;

extern template class TaskRange<ReadLease>;
extern template class TaskRange<WriteLease>;

}  // namespace krg::kddm

// task/snapshot.h: the bytes of an object as they were, for a task that needs them longer than a
// lease should last.
//
// Model    copy_on_write() ends a lease and keeps what it saw; writers go on, and change nothing of
//          it. Tasks write in the node-shared store in place, without a word to anybody, so the
//          bytes are copied at once: that is the whole cost, and none follows. What is kept is the
//          task's own memory, no copy of the object: nobody counts it, takes it away or sends it,
//          and it outlives object, set and Space.
// Threads  owned by one thread at a time.
// Blocks   never.
// Source   Kerrighed kddm (break_cow, grab_cow); docs/design/kddm.md, "Copy on write"
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "krg/error/result.h"
#include "krg/share/local_store.h"

namespace krg::kddm {

class TaskSnapshot {
 public:
  TaskSnapshot() = default;
  TaskSnapshot(TaskSnapshot&& other) noexcept
      : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}
  TaskSnapshot& operator=(TaskSnapshot&& other) noexcept {
    bytes_ = std::move(other.bytes_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }

  // May be written: the object does not change by that.
  std::span<std::byte> bytes() noexcept { return {bytes_.get(), size_}; }
  std::span<const std::byte> bytes() const noexcept { return {bytes_.get(), size_}; }

 private:
  friend Result<TaskSnapshot> copy_on_write(ReadLease lease) noexcept;
  friend Result<TaskSnapshot> copy_on_write(WriteLease lease) noexcept;
  static Result<TaskSnapshot> of(const LocalLease& lease,
                                 std::span<const std::byte> bytes) noexcept;

  std::unique_ptr<std::byte[]> bytes_;
  std::size_t size_ = 0;
};

// Ends the lease; the snapshot has what it saw, or what it has written.
// Cost  a copy of the bytes.
// Errors  invalid_argument  the lease has ended before
//         no_memory  the lease has ended all the same
Result<TaskSnapshot> copy_on_write(ReadLease lease) noexcept;
Result<TaskSnapshot> copy_on_write(WriteLease lease) noexcept;

}  // namespace krg::kddm

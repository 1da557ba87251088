// share/local_store.h: a task's side of the node-shared store.
//
// Model    a local hit: the lease of an object that this node may use already costs no call, no
//          system call and no lock. A lease is published in the task's own table (a hazard
//          pointer), then the object's word is looked at again; krgd and writers change the word
//          first and look at the tables then. What is not a hit says why (Miss), and is for krgd:
//          the caller asks it by a call, and takes the lease over with adopt().
// Threads  safe. A lease may be ended by another thread than began it.
// Blocks   never.
// Source   docs/design/kddm.md, "Node-shared store"
#pragma once

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <utility>

#include "krg/base/deadline.h"
#include "krg/base/unique_fd.h"
#include "krg/error/result.h"
#include "krg/share/layout.h"
#include "krg/share/serving_clock.h"
#include "krg/share/types.h"
#include "krg/shm/segment.h"

namespace krg::kddm {

class LocalStore;
class NodeStore;

// What the two kinds of lease share.
class LocalLease {
 public:
  LocalLease(const LocalLease&) = delete;
  LocalLease& operator=(const LocalLease&) = delete;

  explicit operator bool() const noexcept { return store_ != nullptr; }
  // Why there is none.
  Miss miss() const noexcept { return miss_; }
  SlotId slot() const noexcept { return slot_; }

 protected:
  LocalLease() = default;
  LocalLease(LocalLease&& other) noexcept { take(other); }
  ~LocalLease() = default;
  // Requires  this is over.
  void take(LocalLease& other) noexcept {
    store_ = std::exchange(other.store_, nullptr);
    bytes_ = other.bytes_;
    slot_ = other.slot_;
    entry_ = other.entry_;
    miss_ = other.miss_;
  }

 private:
  friend class LocalStore;
  friend class ReadLease;
  friend class WriteLease;

  LocalStore* store_ = nullptr;
  std::span<std::byte> bytes_;
  SlotId slot_ = kNoSlot;
  std::uint32_t entry_ = 0;
  Miss miss_ = Miss::absent;
};

// Nobody on this node or elsewhere writes the object while this lives.
class [[nodiscard]] ReadLease : public LocalLease {
 public:
  ReadLease() = default;
  ReadLease(ReadLease&&) noexcept = default;
  ReadLease& operator=(ReadLease&& other) noexcept {
    if (this == &other) return *this;
    end();
    take(other);
    return *this;
  }
  ~ReadLease() { end(); }

  std::span<const std::byte> bytes() const noexcept { return bytes_; }
  // Puts the object back. Cost: two atomic operations; rings krgd if it waits for this.
  void end() noexcept {
    if (store_ != nullptr) finish();
  }

 private:
  friend class LocalStore;
  void finish() noexcept;
};

// Nobody else on this node or elsewhere reads or writes the object while this lives.
class [[nodiscard]] WriteLease : public LocalLease {
 public:
  WriteLease() = default;
  WriteLease(WriteLease&&) noexcept = default;
  WriteLease& operator=(WriteLease&& other) noexcept {
    if (this == &other) return *this;
    end();
    take(other);
    return *this;
  }
  ~WriteLease() { end(); }

  std::span<std::byte> bytes() const noexcept { return bytes_; }
  // Puts the object back, with its version one higher.
  void end() noexcept {
    if (store_ != nullptr) finish();
  }

  // Gives the lease up to krgd, which ends it in the task's name: its place in the task's table.
  // Requires  there is a lease.
  std::uint32_t surrender() noexcept {
    store_ = nullptr;
    return entry_;
  }

 private:
  friend class LocalStore;
  void finish() noexcept;
};

// How a task tells krgd that something it waits for has ended. Called without locks, from the
// thread that ended a lease; to be quick and never to block.
struct Doorbell {
  void (*ring)(void* who) noexcept = nullptr;
  void* who = nullptr;
};

class LocalStore {
 public:
  // What krgd hands to a task.
  struct Pass {
    UniqueFd directory;
    UniqueFd shared;
    Geometry geometry;
    TaskIndex task = kNoTask;
  };

  // Errors  protocol_error  what was passed is not a store of that geometry.
  //         no_memory
  static Result<std::unique_ptr<LocalStore>> open(Pass pass, Doorbell doorbell);
  // For threads of krgd itself, which need leases as all others do; without a second mapping.
  // Requires  `node` outlives it.
  static Result<std::unique_ptr<LocalStore>> open_in_krgd(const NodeStore& node, TaskIndex task,
                                                          Doorbell doorbell);
  LocalStore(const LocalStore&) = delete;
  LocalStore& operator=(const LocalStore&) = delete;
  // Requires  no lease of it lives.
  ~LocalStore();

  // The object's slot; none if the node does not have it, or (rarely) while krgd changes the
  // index. Cost: a hash and three cache lines.
  Handle find(SetId set, ObjectId object) const noexcept;
  // Whether the node has a copy that can be read, be it in use or frozen at this instant.
  bool has(SetId set, ObjectId object) const noexcept;

  // Leases by a handle, which spares the lookup. Cost: three atomic operations with the end.
  ReadLease try_read(Handle handle) noexcept;
  // Cost: two atomic operations with the end, of one lease of a thread at a time; four of further
  // ones. When others have read since the last writer, a look at all tasks' tables.
  WriteLease try_write(Handle handle) noexcept;
  // As try_write(), but while another task of this node writes the object this sleeps, until
  // `deadline` at most (CLOCK_MONOTONIC). In no order: who comes meanwhile may be first.
  // Cost    who ends a lease for which others sleep wakes one: a system call.
  WriteLease await_write(Handle handle, Deadline deadline) noexcept;
  // The same with the lookup.
  ReadLease try_read(SetId set, ObjectId object) noexcept;
  WriteLease try_write(SetId set, ObjectId object) noexcept;

  // Takes over what krgd has granted to this task.
  // Requires  the grant is of this task, and taken over once. A child of fork() gets Miss::forked.
  ReadLease adopt_read(const Grant& grant) noexcept;
  WriteLease adopt_write(const Grant& grant) noexcept;

  // Leases that this task began by itself. Threads that share a line of the table, which they do if
  // there are more than 240, may count a few too little.
  struct Hits {
    std::uint64_t reads = 0;
    std::uint64_t writes = 0;
  };
  Hits hits() const noexcept;

  TaskIndex task() const noexcept { return task_; }
  // For those who map objects: the bytes' place in the shared segment's file.
  int shared_fd() const noexcept { return shared_fd_; }
  std::uint64_t file_offset(const LocalLease& lease) const noexcept;

 private:
  friend class ReadLease;
  friend class WriteLease;
  class TaskMemory;
  struct Seat;
  struct LineHits;

  LocalStore() = default;

  Status find_places(std::span<std::byte> directory, std::span<std::byte> shared,
                     const Geometry& geometry, TaskIndex task);
  Status make_own_pages();
  bool serving() const noexcept;
  // What keeps this task from any lease of the slot, whatever its word says.
  Miss why_not_begin(Handle handle) const noexcept;
  static void wake_sleeper(Slot& slot) noexcept;
  bool here() const noexcept { return here_->load(std::memory_order_relaxed) != 0; }
  void adopt(LocalLease& lease, const Grant& grant, LeaseKind kind) noexcept;
  // Of one thread of this task, or of several.
  struct Line {
    std::uint32_t number = 0;
    bool alone = false;
  };
  std::uint32_t claim(std::uint32_t value) noexcept;
  std::uint32_t claim_to_write(std::uint32_t value) noexcept;
  std::uint32_t claim_in(std::uint32_t line, std::uint32_t value) noexcept;
  std::uint32_t claim_anywhere(std::uint32_t value) noexcept;
  Line line_of_thread() noexcept;
  void note_line(std::uint32_t line) noexcept;
  void fill(LocalLease& lease, SlotId slot, std::uint32_t entry) noexcept;
  void count_hit(std::uint32_t entry, bool writes) noexcept;

  shm::Segment directory_;  // Empty in krgd, whose mapping it is.
  shm::Segment shared_;
  int shared_fd_ = -1;
  std::byte* shared_bytes_ = nullptr;
  Geometry geometry_;
  TaskIndex task_ = kNoTask;
  Doorbell doorbell_;
  Ticks ticks_ = Ticks::monotonic;
  const DirectoryHeader* header_ = nullptr;
  const Bucket* buckets_ = nullptr;
  const Record* records_ = nullptr;
  LeaseCounts* counts_ = nullptr;
  LeaseTable* tables_ = nullptr;
  Slot* slots_ = nullptr;
  LeaseEntry* mine_ = nullptr;  // The task's own table.
  // 1 in the process that opened the store; the kernel clears the page in a child.
  std::atomic<std::uint32_t>* here_ = nullptr;
  std::unique_ptr<LineHits[]> line_hits_;
  std::unique_ptr<Seat[]> seats_;  // Which line of the table is which thread's.
  std::atomic<std::uint32_t> lines_given_{0};
};

}  // namespace krg::kddm

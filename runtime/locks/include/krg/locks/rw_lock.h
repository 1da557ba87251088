// locks/rw_lock.h: many readers or one writer, between all threads of all tasks of a cluster.
//
// Model    a guard is a lease of the lock's object, so readers on all nodes go in together, and
//          none before a writer that waits. When a writer has died, the next writer is told so;
//          readers are refused until one has called make_consistent(). When the node dies that
//          alone had the lock's object, that counts as a writer's death.
// Threads  safe. A guard may end in another thread.
// Blocks   read() and write(): until it is had, or until the timeout. A thread that reads and asks
//          for more waits for itself if a writer waits: not recursive.
// Source   pthread_rwlock_rdlock(3p); docs/design/sync.md
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "krg/base/deadline.h"
#include "krg/error/result.h"
#include "krg/locks/locks.h"

namespace krg {

// A handle; copies are the same lock.
class RwLock {
 public:
  class ReadGuard;
  class WriteGuard;
  static constexpr Duration kTimeout = std::chrono::seconds(60);

  // Requires  index < locks.count(), of no sync object of another type; `locks` outlives it.
  RwLock(Locks& locks, std::uint64_t index) noexcept;

  // Cost    where this node has the lock already: a lookup and some three or four atomic
  //         operations. Else a call to krgd, and messages as for an object.
  // Errors  timed_out; those of Space::get() and grab()
  //         corrupt  with native() EOWNERDEAD: read() after a writer's death
  Result<ReadGuard> read(Duration timeout = kTimeout);
  Result<WriteGuard> write(Duration timeout = kTimeout);
  // Errors  would_block  others have it; those above
  Result<ReadGuard> try_read();
  Result<WriteGuard> try_write();

 private:
  Result<ReadGuard> take_read(const kddm::Use& use);
  Result<WriteGuard> take_write(const kddm::Use& use);

  Locks* locks_;
  std::uint64_t index_;
};

// Nobody writes while it lives.
class [[nodiscard]] RwLock::ReadGuard {
 public:
  ReadGuard(ReadGuard&&) noexcept = default;
  ReadGuard& operator=(ReadGuard&&) = delete;
  ~ReadGuard();

 private:
  friend class RwLock;
  explicit ReadGuard(kddm::ReadLease lease) noexcept : lease_(std::move(lease)) {}
  kddm::ReadLease lease_;
};

// Nobody else reads or writes while it lives.
class [[nodiscard]] RwLock::WriteGuard {
 public:
  WriteGuard(WriteGuard&&) noexcept = default;
  WriteGuard& operator=(WriteGuard&&) = delete;
  ~WriteGuard();

  // Whether a writer has died, and none since has put right what it left.
  bool owner_died() const noexcept { return owner_died_; }
  void make_consistent() noexcept { owner_died_ = false; }

 private:
  friend class RwLock;
  WriteGuard(kddm::WriteLease lease, bool owner_died) noexcept
      : lease_(std::move(lease)), owner_died_(owner_died) {}
  kddm::WriteLease lease_;
  bool owner_died_;
};

}  // namespace krg

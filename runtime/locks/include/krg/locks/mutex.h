// locks/mutex.h: mutual exclusion between all threads of all tasks of a cluster.
//
// Model    holding a mutex is holding the write lease of its object. Always robust: when a holder
//          has died, the next one gets the mutex and is told so; unless it calls
//          make_consistent() before it unlocks, nobody gets it any more. When a node dies that
//          had the mutex last, locked or not, that counts as a holder's death.
// Threads  safe. The thread that locked is the one that unlocks.
// Blocks   lock(): until it is had, or until the timeout, which krgd counts from the
//          beginning of its turn: it may be early by so much.
// Source   pthread_mutex_lock(3p), pthread_mutexattr_setrobust(3p); docs/design/sync.md
#pragma once

#include <chrono>
#include <cstdint>
#include <utility>

#include "krg/base/deadline.h"
#include "krg/error/result.h"
#include "krg/locks/locks.h"

namespace krg {

enum class MutexKind : std::uint8_t {
  normal,       // Locking again waits for oneself, until the timeout.
  recursive,    // Locking again counts.
  error_check,  // Locking again is an error.
};

// How a mutex was got. In both cases the caller has it.
enum class Taken : std::uint8_t { clean, owner_died };

// A handle; copies are the same mutex. All who use it say the same kind.
class Mutex {
 public:
  class Guard;
  static constexpr Duration kTimeout = std::chrono::seconds(60);

  // Requires  index < locks.count(); `locks` outlives it.
  Mutex(Locks& locks, std::uint64_t index, MutexKind kind = MutexKind::normal) noexcept;

  // Cost    where it was locked last on this node and nobody waits: two atomic operations with the
  //         end, and a look at the clock. Another task of the node has it: a spin of some 10 us.
  //         Else a call to krgd; two or three messages when it was on another node.
  // Errors  timed_out
  //         invalid_argument  with native() EDEADLK: an error_check mutex that this thread has
  //         corrupt  with native() ENOTRECOVERABLE: not made consistent after a holder's death
  //         those of Space::grab(). In all cases it is not had.
  Result<Taken> lock(Duration timeout = kTimeout);
  // Errors  would_block  another has it; those of lock()
  Result<Taken> try_lock();
  // Errors  denied  with native() EPERM: the calling thread does not have it
  //         those of Region::release(): it is unlocked
  Status unlock();
  // What it guards is in order again. Without effect if the last holder unlocked.
  // Errors  denied  as unlock()
  Status make_consistent();
  // lock(), and unlock() at the end of the scope.
  Result<Guard> guard(Duration timeout = kTimeout);

 private:
  Result<Taken> take(Duration timeout, bool try_only);
  Result<Taken> take_again(bool try_only);
  Result<Taken> take_elsewhere(kddm::WriteLease missed, bool spin, const kddm::Use& use);
  kddm::WriteLease fight(kddm::WriteLease missed, Duration time);
  Result<Taken> have(kddm::WriteLease&& lease, bool lost);
  // Nothing: the calling thread does not have it.
  Locks::Cell* own_cell() const noexcept;
  static Error not_own() noexcept;

  Locks* locks_;
  std::uint64_t index_;
  MutexKind kind_;
};

// Owned by the thread that has locked.
class [[nodiscard]] Mutex::Guard {
 public:
  Guard(Mutex mutex, Taken taken) noexcept : mutex_(mutex), taken_(taken) {}
  Guard(Guard&& other) noexcept
      : mutex_(other.mutex_), taken_(other.taken_), held_(std::exchange(other.held_, false)) {}
  Guard& operator=(Guard&&) = delete;
  ~Guard() {
    if (held_) static_cast<void>(mutex_.unlock());
  }

  bool owner_died() const noexcept { return taken_ == Taken::owner_died; }
  Status make_consistent() { return mutex_.make_consistent(); }

 private:
  Mutex mutex_;
  Taken taken_;
  bool held_ = true;
};

}  // namespace krg

#include "krg/locks/mutex.h"

#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "cell.h"
#include "krg/base/assert.h"
#include "krg/fences/fences.h"
#include "owned.h"

namespace krg {
namespace {

pid_t this_thread() noexcept {
  thread_local const pid_t id = ::gettid();
  return id;
}

}  // namespace

Mutex::Mutex(Locks& locks, std::uint64_t index, MutexKind kind) noexcept
    : locks_(&locks), index_(index), kind_(kind) {
  KRG_ASSERT(index < locks.count());
}

Result<Taken> Mutex::lock(Duration timeout) { return take({.timeout = timeout}); }

Result<Taken> Mutex::try_lock() { return take({.timeout = kTimeout, .try_only = true}); }

Result<Taken> Mutex::take(const kddm::Use& use) {
  Locks::Cell& cell = locks_->cells_[index_];
  const pid_t self = this_thread();
  if (cell.holder.load(std::memory_order_relaxed) == self) {
    if (kind_ == MutexKind::recursive) {
      ++cell.depth;
      return cell.inconsistent ? Taken::owner_died : Taken::clean;
    }
    if (use.try_only) return Error(Errc::would_block, "this thread has the mutex");
    if (kind_ == MutexKind::error_check) {
      return Error(Errc::invalid_argument, "this thread has the mutex").with_native(EDEADLK);
    }
  }
  KRG_TRY_ASSIGN(Owned owned,
                 grab_owned(*locks_->space_, locks_->set_, kddm::ObjectId{index_}, use));
  if (owned.word.state == LockWord::not_recoverable) {
    return Error(Errc::corrupt, "a holder died, and the next one unlocked without putting it right")
        .with_native(ENOTRECOVERABLE);
  }
  KRG_TRY(fences::acquire());
  const bool died = owned.owner_died();
  owned.hold(locks_->pid_, self);
  cell.lease = std::move(owned.lease);
  cell.depth = 1;
  cell.inconsistent = died;
  cell.holder.store(self, std::memory_order_relaxed);
  return died ? Taken::owner_died : Taken::clean;
}

Result<Locks::Cell*> Mutex::own_cell() const {
  Locks::Cell& cell = locks_->cells_[index_];
  if (cell.holder.load(std::memory_order_relaxed) == this_thread()) return &cell;
  return Error(Errc::denied, "this thread does not have the mutex").with_native(EPERM);
}

Status Mutex::unlock() {
  KRG_TRY_ASSIGN(Locks::Cell* const own, own_cell());
  Locks::Cell& cell = *own;
  if (--cell.depth != 0) return {};
  const Status released = fences::release();
  const std::uint32_t state = cell.inconsistent ? LockWord::not_recoverable : LockWord::free;
  std::memcpy(cell.lease.bytes().data(), &state, sizeof state);
  cell.holder.store(0, std::memory_order_relaxed);
  // The cell is the next holder's as soon as the lease ends, so it ends outside of it.
  kddm::WriteLease lease = std::move(cell.lease);
  lease.end();
  return released;
}

Status Mutex::make_consistent() {
  KRG_TRY_ASSIGN(Locks::Cell* const cell, own_cell());
  cell->inconsistent = false;
  return {};
}

Result<Mutex::Guard> Mutex::guard(Duration timeout) {
  KRG_TRY_ASSIGN(const Taken taken, lock(timeout));
  return Guard(*this, taken);
}

}  // namespace krg

#include "krg/locks/mutex.h"

#include <algorithm>
#include <cerrno>
#include <utility>

#include "cell.h"
#include "here.h"
#include "krg/base/assert.h"
#include "krg/base/thread_id.h"
#include "krg/fences/fences.h"
#include "owned.h"

namespace krg {
Mutex::Mutex(Locks& locks, std::uint64_t index, MutexKind kind) noexcept
    : locks_(&locks), index_(index), kind_(kind) {
  KRG_ASSERT(index < locks.count());
}

Result<Taken> Mutex::lock(Duration timeout) { return take(timeout, false); }

Result<Taken> Mutex::try_lock() { return take(kTimeout, true); }

Result<Taken> Mutex::take(Duration timeout, bool try_only) {
  Locks::Cell& cell = locks_->cells_[index_];
  const pid_t self = this_thread();
  const bool again = cell.holder.load(std::memory_order_relaxed) == self;
  if (again && (kind_ != MutexKind::normal || try_only)) [[unlikely]]
    return take_again(try_only);
  kddm::WriteLease hit = locks_->space_->try_grab(cell.handle());
  if (hit) [[likely]]
    return have(std::move(hit), false);
  return take_elsewhere(std::move(hit), !again && !try_only,
                        {.timeout = timeout, .try_only = try_only});
}

// Looks it up, spins, sleeps while tasks of this node have it, and asks krgd.
Result<Taken> Mutex::take_elsewhere(kddm::WriteLease missed, bool spin, const kddm::Use& use) {
  Locks::Cell& cell = locks_->cells_[index_];
  const kddm::ObjectId object{index_};
  kddm::WriteLease hit =
      take_otherwise(*locks_->space_, locks_->set_, object, cell, std::move(missed), spin,
                     [this](kddm::Handle at) { return locks_->space_->try_grab(at); });
  kddm::Use rest = use;
  if (!hit && spin) {
    const auto begin = std::chrono::steady_clock::now();
    hit = fight(std::move(hit), std::min(kFightMost, use.timeout));
    const Duration took = std::chrono::steady_clock::now() - begin;
    rest.timeout = std::max(use.timeout - took, Duration(0));
  }
  if (hit) return have(std::move(hit), false);
  KRG_TRY_ASSIGN(Owned owned, grab_owned(*locks_->space_, locks_->set_, object, rest));
  return have(std::move(owned.lease), owned.lost);
}

// With the other tasks of this node, one of which asks krgd for all when it is elsewhere. In vain
// when that has failed or the time is up: then this one asks by itself, and is served in order.
kddm::WriteLease Mutex::fight(kddm::WriteLease missed, Duration time) {
  Locks::Cell& cell = locks_->cells_[index_];
  const kddm::ObjectId object{index_};
  const auto end = std::chrono::steady_clock::now() + time;
  for (;;) {
    const Duration left = end - std::chrono::steady_clock::now();
    if (left <= Duration(0)) return missed;
    if (missed.miss() == kddm::Miss::writer) {
      kddm::WriteLease hit = locks_->space_->await_grab(cell.handle(), left);
      if (hit || hit.miss() == kddm::Miss::writer) return hit;
    }
    auto asked = locks_->space_->grab(locks_->set_, object, {.timeout = left, .share = true});
    if (!asked) return missed;
    if (*asked) return std::move(*asked);
    cell.found(locks_->space_->handle_of(locks_->set_, object));
    missed = locks_->space_->try_grab(cell.handle());
    if (missed) return missed;
  }
}

Result<Taken> Mutex::have(kddm::WriteLease&& lease, bool lost) {
  Locks::Cell& cell = locks_->cells_[index_];
  const pid_t self = this_thread();
  const std::uint32_t state = state_of(lease);
  if (state == LockWord::not_recoverable) [[unlikely]] {
    lease.end();
    return Error(Errc::corrupt, "a holder died, and the next one unlocked without putting it right")
        .with_native(ENOTRECOVERABLE);
  }
  const std::uint32_t last = last_of(lease);
  auto taken_over = fences::take_over(last, !lost);
  if (!taken_over && taken_over.error().code() == Errc::peer_down) {
    // The lock has outlived what was written under it: as if its holder had died.
    lost = true;
    taken_over = fences::take_over(0);
  }
  KRG_TRY_ASSIGN(const std::uint32_t next, std::move(taken_over));
  // Before anything is written under the lock: so it is known where that was, whatever happens.
  if (next != last) set_last(lease, next);
  cell.fenced = next != 0 && fences::current().load(std::memory_order_relaxed) != nullptr;
  hold(lease, {LockWord::held, locks_->pid_, self, sync::LockKind::mutex});
  cell.lease = std::move(lease);
  cell.depth = 1;
  cell.inconsistent = lost || state != LockWord::free;
  cell.holder.store(self, std::memory_order_relaxed);
  return cell.inconsistent ? Taken::owner_died : Taken::clean;
}

// A thread that has it, unless it is to wait for itself.
Result<Taken> Mutex::take_again(bool try_only) {
  Locks::Cell& cell = locks_->cells_[index_];
  if (kind_ == MutexKind::recursive) {
    ++cell.depth;
    return cell.inconsistent ? Taken::owner_died : Taken::clean;
  }
  if (try_only) return Error(Errc::would_block, "this thread has the mutex");
  return Error(Errc::invalid_argument, "this thread has the mutex").with_native(EDEADLK);
}

Locks::Cell* Mutex::own_cell() const noexcept {
  Locks::Cell& cell = locks_->cells_[index_];
  return cell.holder.load(std::memory_order_relaxed) == this_thread() ? &cell : nullptr;
}

Error Mutex::not_own() noexcept {
  return Error(Errc::denied, "this thread does not have the mutex").with_native(EPERM);
}

Status Mutex::unlock() {
  Locks::Cell* const own = own_cell();
  if (own == nullptr) [[unlikely]]
    return not_own();
  Locks::Cell& cell = *own;
  if (--cell.depth != 0) return {};
  // Who takes it over on another node sees to it that what was written here is released.
  const Status released = cell.fenced ? Status() : fences::release();
  set_state(cell.lease, cell.inconsistent ? LockWord::not_recoverable : LockWord::free);
  cell.holder.store(0, std::memory_order_relaxed);
  // The cell is the next holder's as soon as the lease ends, so it ends outside of it.
  kddm::WriteLease lease = std::move(cell.lease);
  lease.end();
  return released;
}

Status Mutex::make_consistent() {
  Locks::Cell* const cell = own_cell();
  if (cell == nullptr) return not_own();
  cell->inconsistent = false;
  return {};
}

Result<Mutex::Guard> Mutex::guard(Duration timeout) {
  KRG_TRY_ASSIGN(const Taken taken, lock(timeout));
  return Guard(*this, taken);
}

}  // namespace krg

#include "krg/locks/rw_lock.h"

#include <cerrno>

#include "cell.h"
#include "krg/base/assert.h"
#include "krg/base/thread_id.h"
#include "krg/fences/fences.h"
#include "owned.h"

namespace krg {

RwLock::RwLock(Locks& locks, std::uint64_t index) noexcept : locks_(&locks), index_(index) {
  KRG_ASSERT(index < locks.count());
}

Result<RwLock::ReadGuard> RwLock::read(Duration timeout) { return take_read({.timeout = timeout}); }

Result<RwLock::ReadGuard> RwLock::try_read() {
  return take_read({.timeout = kTimeout, .try_only = true});
}

Result<RwLock::WriteGuard> RwLock::write(Duration timeout) {
  return take_write({.timeout = timeout});
}

Result<RwLock::WriteGuard> RwLock::try_write() {
  return take_write({.timeout = kTimeout, .try_only = true});
}

Result<RwLock::ReadGuard> RwLock::take_read(const kddm::Use& use) {
  const Error died = Error(Errc::corrupt, "a writer died, and nobody has put right what it left")
                         .with_native(EOWNERDEAD);
  Locks::Cell& cell = locks_->cells_[index_];
  kddm::ReadLease lease = locks_->space_->try_get(cell.handle());
  if (!lease) [[unlikely]] {
    lease = take_otherwise(*locks_->space_, locks_->set_, kddm::ObjectId{index_}, cell,
                           std::move(lease), !use.try_only,
                           [this](kddm::Handle at) { return locks_->space_->try_get(at); });
  }
  if (!lease) {
    auto given = locks_->space_->get(locks_->set_, kddm::ObjectId{index_}, use);
    if (!given) return given.error().code() == Errc::lost ? died : given.error();
    lease = std::move(*given);
  }
  if (state_of(lease) != LockWord::free) return died;
  KRG_TRY(fences::acquire());
  return ReadGuard(std::move(lease));
}

Result<RwLock::WriteGuard> RwLock::take_write(const kddm::Use& use) {
  Locks::Cell& cell = locks_->cells_[index_];
  kddm::WriteLease hit = locks_->space_->try_grab(cell.handle());
  if (!hit) [[unlikely]] {
    hit = take_otherwise(*locks_->space_, locks_->set_, kddm::ObjectId{index_}, cell,
                         std::move(hit), !use.try_only,
                         [this](kddm::Handle at) { return locks_->space_->try_grab(at); });
  }
  Owned owned;
  if (hit) {
    owned.state = state_of(hit);
    owned.lease = std::move(hit);
  } else {
    KRG_TRY_ASSIGN(owned, grab_owned(*locks_->space_, locks_->set_, kddm::ObjectId{index_}, use));
  }
  KRG_TRY(fences::acquire());
  const bool died = owned.owner_died();
  hold(owned.lease, {LockWord::held, locks_->pid_, this_thread(), sync::LockKind::rw_lock});
  return WriteGuard(std::move(owned.lease), died);
}

// Who reads what a lock guards may have written what it does not.
RwLock::ReadGuard::~ReadGuard() {
  if (lease_) static_cast<void>(fences::release());
}

RwLock::WriteGuard::~WriteGuard() {
  if (!lease_) return;
  static_cast<void>(fences::release());
  // What is not put right stays as its dead owner left it.
  set_state(lease_, owner_died_ ? LockWord::held : LockWord::free);
}

}  // namespace krg

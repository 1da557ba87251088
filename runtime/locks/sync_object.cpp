#include "krg/locks/sync_object.h"

#include "krg/base/assert.h"
#include "waits.h"

namespace krg {

SyncObject::SyncObject(Locks& locks, std::uint64_t index) noexcept : locks_(&locks), index_(index) {
  KRG_ASSERT(index < locks.count());
}

sync::Key SyncObject::key(std::uint32_t word) const noexcept {
  return {locks_->set_, kddm::ObjectId{index_}, word};
}

Result<kddm::ReadLease> SyncObject::get(Duration timeout) const {
  return locks_->space_->get(locks_->set_, kddm::ObjectId{index_}, {.timeout = timeout});
}

Result<kddm::WriteLease> SyncObject::grab(Duration timeout) const {
  return locks_->space_->grab(locks_->set_, kddm::ObjectId{index_}, {.timeout = timeout});
}

Result<sync::Ticket> SyncObject::prepare(Duration timeout) const {
  KRG_TRY_ASSIGN(Waits* const waits, locks_->waits());
  return waits->prepare(key(0), timeout);
}

Status SyncObject::wait(sync::Ticket ticket, Duration timeout, std::uint32_t word,
                        std::uint32_t bits) const {
  KRG_TRY_ASSIGN(Waits* const waits, locks_->waits());
  return waits->wait({key(word), ticket, bits}, timeout);
}

Result<sync::calls::Meet::Reply> SyncObject::meet(std::uint32_t parties, sync::Reduce reduce,
                                                  std::vector<std::uint64_t> words,
                                                  Duration timeout) const {
  KRG_TRY_ASSIGN(Waits* const waits, locks_->waits());
  return waits->meet({key(0), parties, reduce, std::move(words)}, timeout);
}

Result<std::uint32_t> SyncObject::wake(std::uint32_t count, std::uint32_t word,
                                       std::uint32_t bits) const {
  KRG_TRY_ASSIGN(Waits* const waits, locks_->waits());
  return waits->wake({key(word), count, bits});
}

}  // namespace krg

#include "krg/locks/barrier.h"

#include <algorithm>

#include "krg/base/assert.h"
#include "krg/fences/fences.h"

namespace krg {

// Written by one store: a task may be killed between two.
struct alignas(8) Barrier::Word {
  std::uint32_t phase;
  std::uint32_t arrived;
};

Barrier::Barrier(Locks& locks, std::uint64_t index, std::uint32_t parties) noexcept
    : SyncObject(locks, index), parties_(parties) {
  KRG_ASSERT(parties > 0);
}

Result<bool> Barrier::over(std::uint32_t phase) const {
  KRG_TRY_ASSIGN(const kddm::ReadLease lease, get(kSettle));
  return read<Word>(lease).phase != phase;
}

Result<Barrier::Arrived> Barrier::withdraw(std::uint32_t phase) {
  KRG_TRY_ASSIGN(kddm::WriteLease lease, grab(kSettle));
  Word word = read<Word>(lease);
  if (word.phase != phase) return Arrived::others;
  --word.arrived;
  write(lease, word);
  return Error(Errc::timed_out, "others have not come to the barrier");
}

Result<Barrier::Arrived> Barrier::arrive_and_wait(Duration timeout) {
  KRG_TRY(fences::release());
  KRG_TRY_ASSIGN(const Arrived how, meet(timeout));
  KRG_TRY(fences::acquire());
  return how;
}

Result<Barrier::Arrived> Barrier::meet(Duration timeout) {
  const Until until(timeout);
  KRG_TRY_ASSIGN(sync::Ticket ticket, prepare(until.left()));
  KRG_TRY_ASSIGN(kddm::WriteLease lease, grab(kTimeout));
  Word word = read<Word>(lease);
  const std::uint32_t phase = word.phase;
  const bool last = ++word.arrived == parties_;
  if (last) word = {phase + 1, 0};
  write(lease, word);
  lease.end();
  if (last) {
    KRG_TRY(wake(sync::kAll));
    return Arrived::last;
  }
  for (;;) {
    const Status how = wait(ticket, until.left());
    if (!how && how.error().code() == Errc::timed_out) return withdraw(phase);
    KRG_TRY(how);
    KRG_TRY_ASSIGN(bool done, over(phase));
    if (done) return Arrived::others;
    // It was let through without a reason.
    KRG_TRY_ASSIGN(ticket, prepare(kSettle));
    KRG_TRY_ASSIGN(done, over(phase));
    if (done) return Arrived::others;
  }
}

Status Latch::count_down(std::uint64_t by) {
  KRG_TRY(fences::release());
  KRG_TRY_ASSIGN(kddm::WriteLease lease, grab(kTimeout));
  const auto before = read<std::uint64_t>(lease);
  const std::uint64_t counted = before + std::min(by, count_ - std::min(before, count_));
  write(lease, counted);
  lease.end();
  if (before < count_ && counted == count_) KRG_TRY(wake(sync::kAll));
  return {};
}

Result<bool> Latch::look(Duration timeout) const {
  KRG_TRY_ASSIGN(const kddm::ReadLease lease, get(timeout));
  return read<std::uint64_t>(lease) >= count_;
}

Status Latch::wait(Duration timeout) const {
  const Until until(timeout);
  KRG_TRY_ASSIGN(bool open, look(std::max(until.left(), kSettle)));
  while (!open) {
    KRG_TRY_ASSIGN(const sync::Ticket ticket, prepare(until.left()));
    KRG_TRY_ASSIGN(open, look(kSettle));
    if (open) break;
    const Status how = SyncObject::wait(ticket, until.left());
    KRG_TRY_ASSIGN(open, look(kSettle));
    if (!open && !how) return how;
  }
  return fences::acquire();
}

}  // namespace krg

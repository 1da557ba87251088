#include "krg/locks/futex.h"

#include "krg/base/assert.h"

namespace krg {

Futex::Futex(Locks& locks, std::uint64_t index, std::uint32_t word) noexcept
    : SyncObject(locks, index), at_(word * sizeof(std::uint32_t)) {
  KRG_ASSERT(word < kWords);
}

Result<std::uint32_t> Futex::load() const {
  KRG_TRY_ASSIGN(const kddm::ReadLease lease, get(kTimeout));
  std::uint32_t value = 0;
  std::memcpy(&value, lease.bytes().data() + at_, sizeof value);
  return value;
}

Status Futex::wait(std::uint32_t expected, Duration timeout, std::uint32_t bits) {
  const Until until(timeout);
  KRG_TRY_ASSIGN(const sync::Ticket ticket, prepare(until.left()));
  KRG_TRY_ASSIGN(const std::uint32_t value, load());
  if (value != expected) return Error(Errc::would_block, "the word is another");
  return SyncObject::wait(ticket, until.left(), static_cast<std::uint32_t>(at_), bits);
}

Result<std::uint32_t> Futex::wake(std::uint32_t count, std::uint32_t bits) {
  return SyncObject::wake(count, static_cast<std::uint32_t>(at_), bits);
}

}  // namespace krg

#include "krg/locks/semaphore.h"

#include <algorithm>

#include "krg/base/assert.h"
#include "krg/fences/fences.h"

namespace krg {

struct Semaphore::Word {
  std::int64_t more;      // Than at first.
  std::uint32_t waiters;  // At least; who dies waiting stays in it.
};

Semaphore::Semaphore(Locks& locks, std::uint64_t index, std::int64_t initial) noexcept
    : SyncObject(locks, index), initial_(initial) {
  KRG_ASSERT(initial >= 0 && initial <= kMax);
}

Status Semaphore::acquire(Duration timeout) {
  KRG_TRY(take(timeout, false));
  return see();
}

Status Semaphore::try_acquire() {
  KRG_TRY(take(kTimeout, true));
  return see();
}

Status Semaphore::see() {
  const Status seen = fences::acquire();
  if (!seen) static_cast<void>(release());
  return seen;
}

Status Semaphore::take(Duration timeout, bool try_only) {
  const Until until(timeout);
  Status how;           // Of the wait before this look.
  bool waited = false;  // It is counted as a waiter.
  Duration limit = until.left();
  for (;;) {
    Result<kddm::WriteLease> lease = grab(limit);
    if (!lease) {
      // Another one can have what this thread was woken for.
      if (waited && how) static_cast<void>(wake(1));
      return lease.error();
    }
    Word word = read<Word>(*lease);
    if (waited && word.waiters > 0) --word.waiters;
    if (initial_ + word.more > 0) {
      --word.more;
      write(*lease, word);
      return {};
    }
    if (waited) write(*lease, word);
    if (!how) return how;
    if (try_only) return Error(Errc::would_block, "a semaphore without permits");
    // Nobody gives one back meanwhile.
    KRG_TRY_ASSIGN(const sync::Ticket ticket, prepare(until.left()));
    ++word.waiters;
    write(*lease, word);
    lease->end();
    how = wait(ticket, until.left());
    waited = true;
    limit = std::max(until.left(), kSettle);
  }
}

Status Semaphore::release(std::int64_t count) {
  if (count <= 0 || count > kMax) return Error(Errc::invalid_argument, "permits to give back");
  KRG_TRY(fences::release());
  KRG_TRY_ASSIGN(kddm::WriteLease lease, grab(kTimeout));
  Word word = read<Word>(lease);
  if (initial_ + word.more > kMax - count) {
    return Error(Errc::limit_reached, "the value of a semaphore");
  }
  word.more += count;
  write(lease, word);
  lease.end();
  if (word.waiters == 0) return {};
  KRG_TRY(wake(static_cast<std::uint32_t>(count)));
  return {};
}

Result<std::int64_t> Semaphore::value() const {
  KRG_TRY_ASSIGN(const kddm::ReadLease lease, get(kTimeout));
  return initial_ + read<Word>(lease).more;
}

}  // namespace krg

#include "krg/locks/condition.h"

#include <algorithm>
#include <cerrno>

namespace krg {

Result<Condition::Waited> Condition::wait(Mutex& mutex, Duration timeout) {
  const Until until(timeout);
  // A little longer than the wait, if that is short: without a ticket there is none.
  const Result<sync::Ticket> ticket = prepare(std::max(until.left(), kSettle));
  KRG_TRY(mutex.unlock());
  if (!ticket) return ticket.error();
  const Status woken = SyncObject::wait(*ticket, until.left());
  const Result<Taken> taken = mutex.lock();
  if (!taken) {
    // Somebody else can have what this thread was woken for.
    if (woken) static_cast<void>(wake(1));
    return taken.error();
  }
  if (!woken && woken.error().code() != Errc::timed_out) {
    static_cast<void>(mutex.unlock());
    return woken.error();
  }
  return Waited{!woken, *taken};
}

Status Condition::notify_one() {
  const auto woken = wake(1);
  return woken ? Status() : Status(woken.error());
}

Status Condition::notify_all() {
  const auto woken = wake(sync::kAll);
  return woken ? Status() : Status(woken.error());
}

Error Condition::died() noexcept {
  return Error(Errc::corrupt, "the mutex's holder died, and its state is as it was left")
      .with_native(EOWNERDEAD);
}

}  // namespace krg

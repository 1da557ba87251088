// locks/condition.h: waiting until others have changed what a mutex guards.
//
// Model    a queue and no state: who waits gives the mutex up and gets it back. May return without
//          a notification, so the caller looks again. A notification made with the mutex held, or
//          after it was, is missed by nobody who waited for it; one that goes to a task that is
//          killed, or whose time is up, goes on to the next.
// Threads  safe.
// Blocks   wait(): until it is notified or the timeout, and then until it has the mutex.
// Source   pthread_cond_wait(3p); docs/design/sync.md
#pragma once

#include <cstdint>

#include "krg/locks/mutex.h"
#include "krg/locks/sync_object.h"

namespace krg {

// A handle; copies are the same condition.
class Condition : private SyncObject {
 public:
  using SyncObject::kTimeout;
  struct Waited {
    bool timed_out = false;
    Taken taken = Taken::clean;  // How the mutex was got back.
  };

  Condition(Locks& locks, std::uint64_t index) noexcept : SyncObject(locks, index) {}

  // Requires  the calling thread has the mutex, once.
  // Cost    two calls to the home of the condition, and the mutex.
  // Errors  those of Mutex::lock() and of the gate. In all cases the mutex is not had.
  Result<Waited> wait(Mutex& mutex, Duration timeout = kTimeout);
  // Until `there()`, which is called with the mutex held; false if the time was up before.
  // Errors  as above; corrupt  with native() EOWNERDEAD: the mutex's holder died, and this thread
  //         has it, not made consistent
  template <class There>
  Result<bool> wait_for(Mutex& mutex, There there, Duration timeout = kTimeout) {
    const Until until(timeout);
    while (!there()) {
      KRG_TRY_ASSIGN(const Waited waited, wait(mutex, until.left()));
      if (waited.taken == Taken::owner_died) return died();
      if (waited.timed_out) return there();
    }
    return true;
  }
  // Cost    a call to the home of the condition.
  Status notify_one();
  Status notify_all();

 private:
  static Error died() noexcept;
};

}  // namespace krg

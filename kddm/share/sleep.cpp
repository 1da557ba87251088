// Tasks of a node that wait for each other without krgd.
//
// `sleepers` says that somebody may sleep, not how many: so a task that dies in its sleep leaves
// nothing behind. Who wants to sleep sets it before it looks at the word for the last time, and who
// ends a lease looks at it after the word: one of them sees the other. Who ends a lease clears it
// and wakes one; that one sets it again before it tries, for there may be more. If it dies instead,
// the others sleep until their deadlines. krgd wakes all when the object leaves its slot.
#include "krg/share/local_store.h"
#include "krg/shm/futex.h"

namespace krg::kddm {

WriteLease LocalStore::await_write(Handle handle, Deadline deadline) noexcept {
  WriteLease lease = try_write(handle);
  if (lease || lease.miss_ != Miss::writer) return lease;
  Slot& slot = slots_[handle.slot.value];
  for (bool late = false; !late;) {
    const std::uint32_t ends = slot.ends.load();
    slot.sleepers.store(1);
    lease = try_write(handle);
    if (lease || lease.miss_ != Miss::writer) return lease;
    late = shm::futex_wait(slot.ends, ends, deadline) == shm::Woken::timed_out;
  }
  return lease;
}

void LocalStore::wake_sleeper(Slot& slot) noexcept {
  slot.sleepers.store(0);
  slot.slept.store(1, std::memory_order_relaxed);
  slot.ends.fetch_add(1);
  shm::futex_wake(slot.ends, 1);
}

}  // namespace krg::kddm

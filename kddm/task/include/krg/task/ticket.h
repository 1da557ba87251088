// task/ticket.h: a lease, or an operation without one, that is asked for while the task does
// something else.
//
// Model    begun by Space::start_get(), start_grab(), start_flush(), start_sync() or
//          start_remove(). What the node has already is there at once. A lease begins when it is
//          granted, not when it is taken from the ticket: until the ticket is waited for or dropped
//          it keeps others out. Dropping a ticket gives its lease back, and what is still under way
//          up; a flush, sync or removal may take effect all the same.
// Threads  owned by one thread at a time.
// Blocks   wait(): until it is there, or until the timeout.
// Source   Kerrighed kddm (async_get, async_grab); docs/design/kddm.md, "Tasks"
#pragma once

#include <memory>
#include <type_traits>

#include "krg/base/deadline.h"
#include "krg/error/result.h"
#include "krg/share/local_store.h"

namespace krg::kddm {

class Space;

// Of ReadLease, WriteLease, or void. Requires  its Space is still there.
template <class T>
class [[nodiscard]] Ticket {
 public:
  using Outcome = std::conditional_t<std::is_void_v<T>, Status, Result<T>>;

  Ticket(Ticket&&) noexcept;
  Ticket& operator=(Ticket&&) noexcept;
  ~Ticket();

  // Whether wait() would return at once. Cost: a load.
  bool ready() const noexcept;
  // The same within so long, for which it waits.
  bool ready(Duration timeout) const noexcept;
  // The lease, or how the operation ended: given once. Waits as long as the Use::timeout says.
  // Errors  those of Space::get() and so on; invalid_argument  it was given already
  Outcome wait();
  // Waits so long at most.
  // Errors  timed_out  if !ready() it goes on, and may be waited for again
  Outcome wait(Duration timeout);

 private:
  friend class Space;
  class Impl;
  explicit Ticket(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

extern template class Ticket<ReadLease>;
extern template class Ticket<WriteLease>;
extern template class Ticket<void>;

}  // namespace krg::kddm

// carry.h: what memory that carries threads needs: it is shown when it is whole, stays where a
// thread wants it, and goes where a thread goes.
//
// Model    services of the gate (krg/mm_calls/carry.h).
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends, until the deadline.
// Source   docs/design/mm.md, "What carries threads"
#pragma once

#include "bulk.h"
#include "krg/gate/server.h"
#include "krg/mm_calls/carry.h"
#include "pager.h"

namespace krg::mm {

class Carry {
 public:
  Carry(Pager& pager, Bulk& bulk) noexcept : pager_(pager), bulk_(bulk) {}

  void serve(gate::Server& gate);
  void join(const Peers& peers);

 private:
  Co<Result<wire::Empty>> show(gate::Call& call, calls::Show::Request request);
  Co<Result<wire::Empty>> pin(gate::Call& call, calls::Pin::Request request);
  // Errors  of the first page that could not be had
  Co<Status> pin_range(calls::PageRange pages, TimePoint until, Deadline deadline);
  Co<Result<wire::Empty>> push(gate::Call& call, calls::Push::Request request);
  // What another node's task wants this one to have.
  Co<Result<wire::Empty>> take(calls::Push::Request request);
  // As long as there are pins.
  Co<void> watch_pins();

  Pager& pager_;
  Bulk& bulk_;
  Peers peers_;
  bool watching_ = false;
};

}  // namespace krg::mm

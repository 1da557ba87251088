// next_turn.h: goes on in the reactor's next turn.
//
// Model    others have their turns, and a loop over what is all here does not take more and more of
//          the stack.
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends.
// Source   docs/design/reactor.md, "Coroutines"
#pragma once

#include <coroutine>

#include "krg/reactor/reactor.h"

namespace krg::mm {

class NextTurn final : private reactor::Ready {
 public:
  explicit NextTurn(reactor::Reactor& reactor) noexcept : reactor_(reactor) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> waiter) noexcept {
    handle = waiter;
    reactor_.schedule(*this);
  }
  void await_resume() const noexcept {}

 private:
  reactor::Reactor& reactor_;
};

}  // namespace krg::mm

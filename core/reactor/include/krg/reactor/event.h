// reactor/event.h: what coroutines of one reactor wait on: an event, a sleep, a turn, a group.
//
// Model    Event is set or clear; wait() returns once it is set. Waiters run in order of arrival,
//          in the turn in which the event is set.
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends, until the event or the deadline.
// Source   docs/design/reactor.md, "Coroutines"
#pragma once

#include <coroutine>

#include "krg/error/result.h"
#include "krg/reactor/reactor.h"

namespace krg::reactor {

class Event {
 public:
  explicit Event(Reactor& reactor) noexcept : reactor_(reactor) {}

  bool is_set() const noexcept { return set_; }
  void set() noexcept;
  void clear() noexcept { set_ = false; }

  class Awaiter : private Ready, private Timer, private ListNode<struct EventTag> {
   public:
    Awaiter(Event& event, Deadline deadline) noexcept : event_(event), until_(deadline) {}
    bool await_ready() const noexcept { return event_.set_; }
    void await_suspend(std::coroutine_handle<> caller) noexcept;
    Status await_resume() const noexcept;

   private:
    friend class Event;
    template <class T, class U>
    friend class krg::IntrusiveList;
    void on_timer() noexcept override;

    Event& event_;
    const Deadline until_;
    bool timed_out_ = false;
  };

  // Errors  timed_out
  Awaiter wait(Deadline deadline) noexcept { return Awaiter(*this, deadline); }

 private:
  Reactor& reactor_;
  IntrusiveList<Awaiter, EventTag> waiters_;
  bool set_ = false;
};

// co_await sleep_until(...) resumes in the first turn after the deadline.
class SleepAwaiter : private Ready, private Timer {
 public:
  SleepAwaiter(Reactor& reactor, Deadline deadline) noexcept
      : reactor_(reactor), until_(deadline) {}
  bool await_ready() const noexcept { return until_.passed(reactor_.now()); }
  void await_suspend(std::coroutine_handle<> caller) noexcept {
    handle = caller;
    reactor_.add_timer(*this, until_);
  }
  void await_resume() const noexcept {}

 private:
  void on_timer() noexcept override { reactor_.schedule(*this); }

  Reactor& reactor_;
  const Deadline until_;
};

inline SleepAwaiter sleep_until(Reactor& reactor, Deadline deadline) noexcept {
  return SleepAwaiter(reactor, deadline);
}
inline SleepAwaiter sleep_for(Reactor& reactor, Duration d) noexcept {
  return SleepAwaiter(reactor, reactor.after(d));
}

// co_await next_turn(...) goes on in the next turn: others have theirs, and a loop over what is all
// here does not take more and more of the stack.
class NextTurnAwaiter : private Ready {
 public:
  explicit NextTurnAwaiter(Reactor& reactor) noexcept : reactor_(reactor) {}
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> caller) noexcept {
    handle = caller;
    reactor_.schedule(*this);
  }
  void await_resume() const noexcept {}

 private:
  Reactor& reactor_;
};

inline NextTurnAwaiter next_turn(Reactor& reactor) noexcept { return NextTurnAwaiter(reactor); }

// Counts work in flight: add() before it starts, done() at its end, wait() for none.
class WaitGroup {
 public:
  explicit WaitGroup(Reactor& reactor) noexcept : empty_(reactor) { empty_.set(); }
  void add(unsigned n = 1) noexcept {
    if (n == 0) return;
    count_ += n;
    empty_.clear();
  }
  void done() noexcept {
    KRG_DASSERT(count_ > 0);
    if (--count_ == 0) empty_.set();
  }
  Event::Awaiter wait(Deadline deadline) noexcept { return empty_.wait(deadline); }

 private:
  Event empty_;
  unsigned count_ = 0;
};

}  // namespace krg::reactor

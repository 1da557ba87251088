#include "krg/reactor/event.h"

namespace krg::reactor {

void Event::set() noexcept {
  set_ = true;
  while (!waiters_.empty()) {
    Awaiter& waiter = waiters_.pop_front();
    static_cast<ListNode<TimerTag>&>(waiter).unlink();
    reactor_.schedule(waiter);
  }
}

void Event::Awaiter::await_suspend(std::coroutine_handle<> caller) noexcept {
  handle = caller;
  event_.waiters_.push_back(*this);
  event_.reactor_.add_timer(*this, until_);
}

void Event::Awaiter::on_timer() noexcept {
  static_cast<ListNode<EventTag>&>(*this).unlink();
  timed_out_ = true;
  event_.reactor_.schedule(*this);
}

Status Event::Awaiter::await_resume() const noexcept {
  if (timed_out_) return Error(Errc::timed_out);
  return {};
}

}  // namespace krg::reactor

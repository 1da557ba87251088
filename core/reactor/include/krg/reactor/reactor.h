// reactor/reactor.h: one thread's event loop: pollers, descriptors, timers, coroutines.
//
// Model    a turn polls, fires timers, runs every ready coroutine, and flushes. run() makes turns
//          and waits between them as the WaitController says; a simulation calls turn() itself and
//          moves the virtual clock. Destroying the reactor destroys the coroutines spawned on it.
// Threads  owned by one thread, but for mailbox().post() and stop().
// Blocks   run() only; nothing called from a turn may block.
// Source   docs/design/reactor.md
#pragma once

#include <sys/epoll.h>

#include <atomic>
#include <coroutine>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/base/intrusive_list.h"
#include "krg/base/unique_fd.h"
#include "krg/error/result.h"
#include "krg/reactor/clock.h"
#include "krg/reactor/co.h"
#include "krg/reactor/mailbox.h"
#include "krg/reactor/poller.h"
#include "krg/reactor/timer_wheel.h"
#include "krg/reactor/wait_controller.h"

namespace krg::reactor {

// A suspended coroutine that waits for its turn. Unlinks itself if its frame is destroyed first.
struct Ready : ListNode<struct ReadyTag> {
  std::coroutine_handle<> handle;
};

// Called when an epoll event arrives for a watched descriptor.
class FdHandler {
 public:
  virtual void on_fd(std::uint32_t events) noexcept = 0;

 protected:
  ~FdHandler() = default;
};

class Reactor {
 public:
  // How run() waits: adaptively (the default), or fixed, for benchmarks and for tests.
  enum class Waiting { adaptive, poll, yield, block };

  explicit Reactor(const Clock& clock, Waiting waiting = Waiting::adaptive);
  Reactor(const Reactor&) = delete;
  Reactor& operator=(const Reactor&) = delete;
  ~Reactor();

  // The instant of this turn: at most a few microseconds old. Cost: a load.
  TimePoint now() const noexcept { return now_; }
  Deadline after(Duration d) const noexcept { return Deadline(now_ + d); }

  // Starts `co`, which nobody awaits. It runs in this turn or the next, until it first suspends.
  void spawn(Co<void> co);
  // Destroys every spawned coroutine, as the destructor does: the last step before what they refer
  // to goes.
  void cancel_all() noexcept;
  // Puts a suspended coroutine in the queue of those that run in this turn.
  void schedule(Ready& ready) noexcept { ready_.push_back(ready); }
  void add_timer(Timer& timer, Deadline deadline) noexcept { timers_.add(timer, deadline); }

  // `poller` is polled every turn until removed. Order of adding is order of polling and of
  // flushing.
  void add_poller(Poller& poller);
  void remove_poller(Poller& poller) noexcept;

  // Watches `fd` (level-triggered) for `events` of epoll; a second call for the same fd changes it.
  // Errors  system_error  the descriptor can not be watched.
  Status watch(int fd, std::uint32_t events, FdHandler& handler);
  // After this no event of `fd` is delivered, not even one already gathered in this turn.
  void unwatch(int fd) noexcept;

  // Something has begun whose end comes in well under a millisecond, or, for each call of the
  // former, has ended. Between the two, a reactor that has its core to itself polls for longer
  // before it sleeps: a wake-up would cost the one that ends it more than our polling costs.
  void soon_begins() noexcept { ++soon_; }
  void soon_ends() noexcept { --soon_; }

  // To be called from a timer, a descriptor's or a poller's event: nothing is expected to follow
  // it. A reactor that it has woken sleeps again at once, unless something else has happened too.
  void background() noexcept { background_ = true; }

  Mailbox& mailbox() noexcept { return mailbox_; }

  // One turn at the clock's present instant, without waiting; true if anything happened.
  bool turn() noexcept;
  // Turns until stop(). Blocks.
  void run();
  // Ends run() after its turn. Safe from any thread.
  void stop();
  bool stopping() const noexcept { return stop_.load(std::memory_order_relaxed); }
  // The next instant at which a timer may be due; for a simulation's clock.
  std::optional<TimePoint> next_timer() noexcept { return timers_.next(); }

  WaitController::State wait_state() const noexcept { return controller_.state(); }
  std::uint64_t sleeps() const noexcept { return sleeps_; }

 private:
  struct Watch;
  struct Root;

  void refresh_clock() noexcept { now_ = clock_.now(); }
  bool make_turn(bool look_at_fds) noexcept;
  bool run_ready() noexcept;
  void open_epoll();
  void watch_poller(Poller& poller);
  bool check_fds(int timeout_ms) noexcept;
  void wait_for_work() noexcept;
  void sleep() noexcept;
  int sleep_limit_ms() noexcept;

  const Clock& clock_;
  TimePoint now_;
  TimerWheel timers_;
  Mailbox mailbox_;
  WaitController controller_;
  const Waiting waiting_;
  UniqueFd
      epoll_;  // Opened by the first watch() or sleep: one that a simulation drives needs none.
  std::vector<Poller*> pollers_;
  std::vector<std::unique_ptr<Watch>> watches_;  // Indexed by descriptor.
  IntrusiveList<Ready, ReadyTag> ready_;
  IntrusiveList<Root, struct RootTag> roots_;
  std::uint32_t watch_number_ = 0;
  unsigned turns_ = 0;
  TimePoint fds_due_{};
  std::uint64_t sleeps_ = 0;
  std::size_t soon_ = 0;
  bool background_ = false;  // Has been called since the last sleep began.
  bool drowsy_ = false;      // Nothing but background work has happened since.
  unsigned loud_turns_ = 0;  // Since then, that did what nobody has called background.
  std::atomic<bool> stop_{false};
};

// From soon_begins() to soon_ends().
class Soon {
 public:
  explicit Soon(Reactor& reactor) noexcept : reactor_(reactor) { reactor_.soon_begins(); }
  Soon(const Soon&) = delete;
  Soon& operator=(const Soon&) = delete;
  ~Soon() { reactor_.soon_ends(); }

 private:
  Reactor& reactor_;
};

}  // namespace krg::reactor

#include "krg/reactor/reactor.h"

#include <sched.h>

#include <algorithm>
#include <array>
#include <limits>

#include "cpus.h"
#include "krg/base/spin_pause.h"

namespace krg::reactor {
namespace {

// While busy, the clock is looked at only every so many turns, and the descriptors every so often:
// a clock_gettime costs 25 ns and an epoll_wait 200 ns, a turn that finds one message less than 100
// ns and one that finds none 30 ns.
constexpr unsigned kClockInterval = 16;
constexpr Duration kFdInterval = std::chrono::microseconds(30);
// Of a reactor that is turned by hand: its clock may stand.
constexpr unsigned kFdTurns = 128;
// What may come of a network before its message is there.
constexpr unsigned kLoudTurns = 2;
constexpr std::uint64_t kPollerEvent = ~std::uint64_t{0};
// After so many coroutines the pollers get their chance: no coroutine starves the network.
constexpr int kReadyPerTurnMax = 4096;

}  // namespace

struct Reactor::Watch {
  FdHandler* handler = nullptr;
  std::uint32_t number = 0;  // Of the watch; tells an event gathered for an earlier one.
};

// The promise of the coroutine that wraps a spawned Co: the frame owns the Co, and the reactor's
// list finds the frame at the end.
struct Reactor::Root : ListNode<RootTag> {
  // What the wrapping coroutine returns: its own promise.
  struct Start {
    using promise_type = Root;
    Root* root;
  };
  static Start wrap(Co<void> co) { co_await std::move(co); }

  static void* operator new(std::size_t bytes) { return allocate_frame(bytes); }
  static void operator delete(void* frame, std::size_t bytes) noexcept { free_frame(frame, bytes); }
  Start get_return_object() noexcept {
    start.handle = std::coroutine_handle<Root>::from_promise(*this);
    return {this};
  }
  std::suspend_always initial_suspend() const noexcept { return {}; }
  std::suspend_never final_suspend() const noexcept { return {}; }
  void return_void() const noexcept {}
  [[noreturn]] void unhandled_exception() const noexcept { std::terminate(); }

  Ready start;
};

Reactor::Reactor(const Clock& clock, Waiting waiting)
    : clock_(clock),
      now_(clock.now()),
      timers_(now_),
      controller_(ticks_per_ns(), ticks_per_syscall()),
      waiting_(waiting) {
  add_poller(mailbox_);
}

Reactor::~Reactor() { cancel_all(); }

void Reactor::cancel_all() noexcept {
  while (!roots_.empty()) roots_.front().start.handle.destroy();
}

void Reactor::spawn(Co<void> co) {
  Root* root = Root::wrap(std::move(co)).root;
  roots_.push_back(*root);
  schedule(root->start);
}

void Reactor::open_epoll() {
  if (epoll_) return;
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  KRG_ASSERT(epoll_);
  for (Poller* poller : pollers_) watch_poller(*poller);
}

void Reactor::watch_poller(Poller& poller) {
  const int fd = poller.event_fd();
  if (fd < 0) return;
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.u64 = kPollerEvent;  // It only ends the sleep; poll() does the work.
  KRG_ASSERT(epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) == 0);
}

void Reactor::add_poller(Poller& poller) {
  pollers_.push_back(&poller);
  if (epoll_) watch_poller(poller);
}

void Reactor::remove_poller(Poller& poller) noexcept {
  std::erase(pollers_, &poller);
  if (!epoll_) return;
  if (const int fd = poller.event_fd(); fd >= 0) {
    epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  }
}

Status Reactor::watch(int fd, std::uint32_t events, FdHandler& handler) {
  KRG_ASSERT(fd >= 0);
  open_epoll();
  const auto index = static_cast<std::size_t>(fd);
  if (index >= watches_.size()) watches_.resize(index + 1);
  const bool known = watches_[index] != nullptr;
  const std::uint32_t number = known ? watches_[index]->number : ++watch_number_;
  epoll_event event{};
  event.events = events;
  event.data.u64 = std::uint64_t{number} << 32 | static_cast<std::uint32_t>(fd);
  if (epoll_ctl(epoll_.get(), known ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, &event) != 0) {
    return errno_error(Errc::system_error, "watching a descriptor");
  }
  if (!known) watches_[index] = std::make_unique<Watch>();
  *watches_[index] = {&handler, number};
  return {};
}

void Reactor::unwatch(int fd) noexcept {
  const auto index = static_cast<std::size_t>(fd);
  if (fd < 0 || index >= watches_.size() || watches_[index] == nullptr) return;
  epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  watches_[index].reset();
}

bool Reactor::run_ready() noexcept {
  int left = kReadyPerTurnMax;
  const bool any = !ready_.empty();
  while (!ready_.empty() && left-- > 0) ready_.pop_front().handle.resume();
  return any;
}

bool Reactor::check_fds(int timeout_ms) noexcept {
  if (!epoll_) return false;
  std::array<epoll_event, 64> events;
  const int n =
      epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), timeout_ms);
  if (timeout_ms != 0) refresh_clock();
  // A timer may be due, or only be nearer than the wheel could say: what matters runs coroutines.
  if (timeout_ms != 0 && n == 0) background_ = true;
  bool worked = false;
  for (int i = 0; i < n; ++i) {
    const auto [mask, data] = events[static_cast<std::size_t>(i)];
    // A poller's descriptor may stay readable until it is armed: only its poll() tells of work.
    if (data.u64 == kPollerEvent) continue;
    worked = true;
    // The handler before this one may have unwatched it, or watch the number anew.
    const Watch* watch = watches_[data.u64 & 0xffffffff].get();
    if (watch != nullptr && watch->number == data.u64 >> 32) watch->handler->on_fd(mask);
  }
  return worked;
}

bool Reactor::turn() noexcept {
  refresh_clock();
  return make_turn((turns_ + 1) % kFdTurns == 0);
}

bool Reactor::make_turn(bool look_at_fds) noexcept {
  bool worked = false;
  // By index: a poll may add or remove a poller.
  for (std::size_t i = 0; i < pollers_.size(); ++i) worked |= pollers_[i]->poll();
  ++turns_;
  if (look_at_fds) worked |= check_fds(0);
  worked |= timers_.advance(now_);
  const bool ran = run_ready();
  worked |= ran;
  for (std::size_t i = 0; i < pollers_.size(); ++i) worked |= pollers_[i]->flush();
  // A network's own business may come before the message that it has woken us for.
  const bool loud = worked && !background_ && ++loud_turns_ > kLoudTurns;
  if (ran || !ready_.empty() || loud) drowsy_ = false;
  return worked || !ready_.empty();
}

void Reactor::run() {
  refresh_clock();
  while (!stopping()) {
    if (turns_ % kClockInterval == 0) refresh_clock();
    const bool look_at_fds = now_ >= fds_due_;
    if (look_at_fds) fds_due_ = now_ + kFdInterval;
    const bool worked = make_turn(look_at_fds);
    if (drowsy_ && background_ && waiting_ == Waiting::adaptive) {
      sleep();
      controller_.woke(ticks());
      continue;
    }
    if (worked) {
      controller_.worked();
      continue;
    }
    wait_for_work();
  }
  stop_.store(false);
}

void Reactor::wait_for_work() noexcept {
  switch (waiting_) {
    case Waiting::poll:
      return;
    case Waiting::yield:
      sched_yield();
      return;
    case Waiting::block:
      sleep();
      return;
    case Waiting::adaptive:
      if (controller_.poll_at_once()) return spin_pause();
      break;
  }
  const std::uint64_t begin = ticks();
  if (controller_.asks(begin)) controller_.answer(begin, cpus_suffice());
  switch (controller_.idle(begin, soon_ != 0)) {
    case WaitController::Action::poll:
      return spin_pause();
    case WaitController::Action::yield:
      sched_yield();
      controller_.yielded(begin, ticks());
      return;
    case WaitController::Action::block:
      sleep();
      controller_.woke(ticks());
      return;
  }
}

int Reactor::sleep_limit_ms() noexcept {
  const auto next = timers_.next();
  if (!next) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next - now_).count();
  return static_cast<int>(std::clamp<decltype(left)>(left, 0, std::numeric_limits<int>::max()));
}

void Reactor::sleep() noexcept {
  open_epoll();
  refresh_clock();
  std::size_t armed = 0;
  bool quiet = true;
  while (quiet && armed < pollers_.size()) quiet = pollers_[armed++]->arm();
  if (quiet && !stopping()) {
    ++sleeps_;
    drowsy_ = true;
    background_ = false;
    loud_turns_ = 0;
    check_fds(sleep_limit_ms());
    fds_due_ = now_ + kFdInterval;
  }
  for (std::size_t i = 0; i < armed; ++i) pollers_[i]->disarm();
}

void Reactor::stop() {
  stop_.store(true);
  mailbox_.post([] {});
}

}  // namespace krg::reactor

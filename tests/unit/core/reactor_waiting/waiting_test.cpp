#include <gtest/gtest.h>
#include <sys/eventfd.h>

#include "krg/base/unique_fd.h"
#include "krg/reactor/reactor.h"

namespace krg::reactor {
namespace {

// As UCX's and libfabric's descriptors are: readable from the first message until it is armed.
class LoudPoller final : public Poller {
 public:
  bool poll() noexcept override { return false; }
  int event_fd() const noexcept override { return fd_.get(); }

 private:
  UniqueFd fd_{eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK)};
};

// Goal    a poller's descriptor that stays readable does not keep an idle reactor spinning.
// Method  more turns than the interval at which descriptors are looked at; none may report work.
TEST(ReactorWaiting, AReadableDescriptorOfAPollerIsNotWork) {
  VirtualClock clock;
  Reactor reactor(clock);
  LoudPoller poller;
  reactor.add_poller(poller);
  reactor.turn();
  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(reactor.turn()) << "turn " << i;
  reactor.remove_poller(poller);
}

using Action = WaitController::Action;

// A controller with one tick a nanosecond that has met busy loops; returns the present tick.
std::uint64_t meet_hogs(WaitController& controller) {
  std::uint64_t now = 1;
  while (controller.state() != WaitController::State::hog) {
    const Action action = controller.idle(now);
    if (action == Action::yield) {
      controller.yielded(now, now + 5'000'000);
      now += 5'000'000;
    } else {
      now += 100;
    }
  }
  return now;
}

// One idle time that ends when `ends` ticks have passed, or with a sleep; whether it slept.
bool idle_time(WaitController& controller, std::uint64_t& now, std::uint64_t ends) {
  controller.worked();
  for (const std::uint64_t until = now + ends; now < until; now += 100) {
    if (controller.idle(now) == Action::block) {
      now += 100;
      controller.woke(now);
      return true;
    }
  }
  controller.worked();
  return false;
}

// Goal    beside busy loops, polling goes on as long as the peer answers in time.
TEST(ReactorWaiting, BesideHogsQuickAnswersAreAwaitedByPolling) {
  WaitController controller(1.0);
  std::uint64_t now = meet_hogs(controller);
  for (int i = 0; i < 1000; ++i) ASSERT_FALSE(idle_time(controller, now, 2'000)) << i;
}

// Goal    beside busy loops, answers that come late are awaited asleep, but for a rare try.
TEST(ReactorWaiting, BesideHogsLateAnswersAreAwaitedAsleepAtOnce) {
  WaitController controller(1.0);
  std::uint64_t now = meet_hogs(controller);
  for (int i = 0; i < 10; ++i) ASSERT_TRUE(idle_time(controller, now, 100'000));
  int polled = 0;
  for (int i = 0; i < 128; ++i) {
    const std::uint64_t before = now;
    ASSERT_TRUE(idle_time(controller, now, 100'000));
    polled += now - before > 1'000 ? 1 : 0;
  }
  EXPECT_EQ(polled, 2);
}

}  // namespace
}  // namespace krg::reactor

#include "krg/reactor/event.h"

#include <gtest/gtest.h>

#include <vector>

#include "krg/testing/drive.h"
#include "krg/testing/matchers.h"

// Events, sleeps and groups in virtual time.
namespace krg::reactor {
namespace {

using namespace std::chrono_literals;

class EventTest : public ::testing::Test {
 protected:
  bool until(const testing::Condition& condition, Duration limit = 10s) {
    return testing::turn_until(clock_, reactor_, condition, limit);
  }
  void settle() {
    while (reactor_.turn()) {
    }
  }

  VirtualClock clock_;
  Reactor reactor_{clock_};
};

Co<void> wait_and_note(Event& event, Deadline deadline, int id, std::vector<int>& order,
                       Status& status) {
  status = co_await event.wait(deadline);
  order.push_back(id);
}

TEST_F(EventTest, WaitersRunInOrderOfArrival) {
  Event event(reactor_);
  std::vector<int> order;
  std::vector<Status> statuses(5);
  for (int i = 0; i < 5; ++i) {
    reactor_.spawn(wait_and_note(event, Deadline::never(), i, order, statuses[i]));
  }
  settle();
  EXPECT_TRUE(order.empty());
  event.set();
  EXPECT_TRUE(order.empty()) << "set() ran a waiter itself";
  settle();
  EXPECT_EQ(order, (std::vector<int>{0, 1, 2, 3, 4}));
  for (const Status& status : statuses) EXPECT_OK(status);
}

TEST_F(EventTest, SetEventDoesNotSuspend) {
  Event event(reactor_);
  event.set();
  std::vector<int> order;
  Status status = Errc::timed_out;
  reactor_.spawn(wait_and_note(event, reactor_.after(0ns), 1, order, status));
  settle();
  EXPECT_OK(status);
  event.clear();
  EXPECT_FALSE(event.is_set());
}

TEST_F(EventTest, WaitTimesOutAfterItsDeadlineAndNotBefore) {
  Event event(reactor_);
  std::vector<int> order;
  Status status;
  reactor_.spawn(wait_and_note(event, reactor_.after(50ms), 1, order, status));
  EXPECT_FALSE(until([&] { return !order.empty(); }, 49ms));
  ASSERT_TRUE(until([&] { return !order.empty(); }, 5ms));
  EXPECT_ERROR(status, Errc::timed_out);
  // The one that gave up is no longer in the event's list.
  event.set();
  settle();
  EXPECT_EQ(order.size(), 1u);
}

TEST_F(EventTest, SetAndTimeoutInOneTurnWakeOnce) {
  Event event(reactor_);
  std::vector<int> order;
  Status status;
  reactor_.spawn(wait_and_note(event, reactor_.after(5ms), 1, order, status));
  settle();
  event.set();
  clock_.advance_to(clock_.now() + 100ms);
  settle();
  EXPECT_EQ(order.size(), 1u);
  EXPECT_OK(status);
}

TEST_F(EventTest, EventIsReusableAfterClear) {
  Event event(reactor_);
  int rounds = 0;
  reactor_.spawn([](Event& e, int& n) -> Co<void> {
    for (;;) {
      (void)co_await e.wait(Deadline::never());
      e.clear();
      ++n;
    }
  }(event, rounds));
  for (int i = 1; i <= 100; ++i) {
    event.set();
    settle();
    EXPECT_EQ(rounds, i);
  }
}

TEST_F(EventTest, SleepEndsAtMostOneTickLate) {
  std::vector<Duration> late;
  for (int i = 0; i < 200; ++i) {
    reactor_.spawn(
        [](Reactor& r, VirtualClock& clock, int n, std::vector<Duration>& out) -> Co<void> {
          const Deadline deadline = r.after(n * 777us);
          co_await sleep_until(r, deadline);
          out.push_back(clock.now() - deadline.at());
        }(reactor_, clock_, i, late));
  }
  ASSERT_TRUE(until([&] { return late.size() == 200; }));
  for (const Duration d : late) {
    EXPECT_GE(d, 0ns);
    EXPECT_LE(d, 2 * Duration(1 << 20));
  }
}

TEST_F(EventTest, SleepOfNothingOrOfThePastDoesNotSuspend) {
  bool done = false;
  reactor_.spawn([](Reactor& r, bool& flag) -> Co<void> {
    co_await sleep_for(r, 0ns);
    co_await sleep_for(r, -5s);
    flag = true;
  }(reactor_, done));
  reactor_.turn();
  EXPECT_TRUE(done);
}

TEST_F(EventTest, WaitGroupWaitsForAll) {
  WaitGroup group(reactor_);
  bool all = false;
  group.add(0);
  for (int i = 0; i < 10; ++i) {
    group.add();
    reactor_.spawn([](Reactor& r, WaitGroup& g, int n) -> Co<void> {
      co_await sleep_for(r, n * 10ms);
      g.done();
    }(reactor_, group, i));
  }
  reactor_.spawn([](WaitGroup& g, bool& flag) -> Co<void> {
    flag = (co_await g.wait(Deadline::never())).has_value();
  }(group, all));
  EXPECT_FALSE(until([&] { return all; }, 85ms));
  EXPECT_TRUE(until([&] { return all; }, 20ms));
}

TEST_F(EventTest, EmptyWaitGroupDoesNotSuspendAndWaitMayTimeOut) {
  WaitGroup group(reactor_);
  Status empty = Errc::timed_out, full;
  bool done = false;
  struct State {
    Reactor& reactor;
    WaitGroup& group;
    Status &empty, &full;
    bool& done;
  } state{reactor_, group, empty, full, done};
  reactor_.spawn([](State& s) -> Co<void> {
    s.empty = co_await s.group.wait(s.reactor.after(0ns));
    s.group.add(3);
    s.full = co_await s.group.wait(s.reactor.after(10ms));
    s.done = true;
  }(state));
  ASSERT_TRUE(until([&] { return done; }));
  EXPECT_OK(empty);
  EXPECT_ERROR(full, Errc::timed_out);
}

}  // namespace
}  // namespace krg::reactor

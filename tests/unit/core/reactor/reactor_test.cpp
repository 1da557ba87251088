#include "krg/reactor/reactor.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <functional>
#include <utility>
#include <vector>

#include "krg/reactor/event.h"
#include "krg/testing/matchers.h"

// Descriptors, pollers and running.
namespace krg::reactor {
namespace {

using namespace std::chrono_literals;

struct Pipe {
  Pipe() {
    std::array<int, 2> ends;
    EXPECT_EQ(::pipe(ends.data()), 0);
    read.reset(ends[0]);
    write.reset(ends[1]);
  }
  void put() const { EXPECT_EQ(::write(write.get(), "x", 1), 1); }
  UniqueFd read, write;
};

struct Handler final : FdHandler {
  void on_fd(std::uint32_t events) noexcept override {
    ++calls;
    last = events;
    if (then) then();
  }
  int calls = 0;
  std::uint32_t last = 0;
  std::function<void()> then;
};

class ReactorTest : public ::testing::Test {
 protected:
  // Enough turns for the descriptors to be looked at.
  void turns(int count = 300) {
    for (int i = 0; i < count; ++i) reactor_.turn();
  }
  VirtualClock clock_;
  Reactor reactor_{clock_};
};

TEST_F(ReactorTest, WatchedDescriptorIsReportedUntilItIsRead) {
  const Pipe pipe;
  Handler handler;
  ASSERT_OK(reactor_.watch(pipe.read.get(), EPOLLIN, handler));
  turns();
  EXPECT_EQ(handler.calls, 0);
  pipe.put();
  turns();
  const int calls = handler.calls;
  EXPECT_GT(calls, 0);
  EXPECT_TRUE(handler.last & EPOLLIN);
  turns();
  EXPECT_GT(handler.calls, calls) << "watching is level-triggered";
  reactor_.unwatch(pipe.read.get());
  const int before = handler.calls;
  turns();
  EXPECT_EQ(handler.calls, before);
}

TEST_F(ReactorTest, SecondWatchChangesEventsAndHandler) {
  const Pipe pipe;
  Handler first, second;
  ASSERT_OK(reactor_.watch(pipe.write.get(), EPOLLIN, first));
  turns();
  EXPECT_EQ(first.calls, 0);
  ASSERT_OK(reactor_.watch(pipe.write.get(), EPOLLOUT, second));
  turns();
  EXPECT_EQ(first.calls, 0);
  EXPECT_GT(second.calls, 0);
  reactor_.unwatch(pipe.write.get());
}

TEST_F(ReactorTest, UnwatchStopsAnEventThatWasAlreadyGathered) {
  const Pipe a, b;
  Handler at_a, at_b;
  ASSERT_OK(reactor_.watch(a.read.get(), EPOLLIN, at_a));
  ASSERT_OK(reactor_.watch(b.read.get(), EPOLLIN, at_b));
  at_a.then = [&] { reactor_.unwatch(b.read.get()); };
  at_b.then = [&] { reactor_.unwatch(a.read.get()); };
  a.put();
  b.put();
  turns();
  EXPECT_TRUE((at_a.calls > 0) != (at_b.calls > 0)) << "both or none were called";
}

// Goal    an event of a descriptor is not given to whoever watches its number next.
// Method  the handler called first replaces the other's watch in the middle of the batch.
TEST_F(ReactorTest, EventGatheredForAnEarlierWatchIsNotDeliveredToTheNext) {
  const Pipe a, b;
  Handler at_a, at_b, fresh;
  bool replaced = false;
  const auto replace = [&](const Pipe& other) {
    if (std::exchange(replaced, true)) return;
    reactor_.unwatch(other.read.get());
    char c;
    EXPECT_EQ(::read(other.read.get(), &c, 1), 1);
    EXPECT_OK(reactor_.watch(other.read.get(), EPOLLIN, fresh));
  };
  at_a.then = [&] { replace(b); };
  at_b.then = [&] { replace(a); };
  ASSERT_OK(reactor_.watch(a.read.get(), EPOLLIN, at_a));
  ASSERT_OK(reactor_.watch(b.read.get(), EPOLLIN, at_b));
  a.put();
  b.put();
  turns();
  EXPECT_EQ(fresh.calls, 0);
}

TEST_F(ReactorTest, HandlerMayUnwatchItself) {
  const Pipe pipe;
  Handler handler;
  handler.then = [&] { reactor_.unwatch(pipe.read.get()); };
  ASSERT_OK(reactor_.watch(pipe.read.get(), EPOLLIN, handler));
  pipe.put();
  turns();
  EXPECT_EQ(handler.calls, 1);
}

TEST_F(ReactorTest, DescriptorThatCanNotBeWatchedIsAnError) {
  Handler handler;
  EXPECT_ERROR(reactor_.watch(999'999, EPOLLIN, handler), Errc::system_error);
  EXPECT_ERROR(reactor_.watch(999'999, EPOLLIN, handler), Errc::system_error);
  reactor_.unwatch(999'999);
}

struct Counter final : Poller {
  bool poll() noexcept override {
    ++polls;
    if (then) then();
    return false;
  }
  bool flush() noexcept override {
    ++flushes;
    return false;
  }
  int polls = 0, flushes = 0;
  std::function<void()> then;
};

TEST_F(ReactorTest, PollersAreAddedAndRemovedInTheMiddleOfATurn) {
  Counter a, b;
  a.then = [&] {
    if (a.polls == 1) reactor_.add_poller(b);
    if (a.polls == 3) reactor_.remove_poller(b);
  };
  reactor_.add_poller(a);
  turns(5);
  EXPECT_EQ(a.polls, 5);
  EXPECT_EQ(b.polls, 2);
  EXPECT_EQ(a.flushes, 5);
  reactor_.remove_poller(a);
  turns(5);
  EXPECT_EQ(a.polls, 5);
}

TEST_F(ReactorTest, ALoopOfReadyCoroutinesDoesNotStarvePollers) {
  Counter poller;
  reactor_.add_poller(poller);
  // Two coroutines that wake each other without end.
  Event ping(reactor_), pong(reactor_);
  const auto play = [](Event& mine, Event& other) -> Co<void> {
    for (;;) {
      (void)co_await mine.wait(Deadline::never());
      mine.clear();
      other.set();
    }
  };
  reactor_.spawn(play(ping, pong));
  reactor_.spawn(play(pong, ping));
  ping.set();
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(reactor_.turn());
  EXPECT_EQ(poller.polls, 10);
  reactor_.remove_poller(poller);
  reactor_.cancel_all();  // Before the events go.
}

class ReactorRun : public ::testing::TestWithParam<Reactor::Waiting> {};

TEST_P(ReactorRun, TimersDescriptorsAndStopWorkWhileItSleeps) {
  const RealClock clock;
  Reactor reactor(clock, GetParam());
  const Pipe pipe;
  Handler handler;
  handler.then = [&] {
    reactor.unwatch(pipe.read.get());
    reactor.stop();
  };
  ASSERT_OK(reactor.watch(pipe.read.get(), EPOLLIN, handler));
  TimePoint woke;
  const TimePoint begin = clock.now();
  struct State {
    Reactor& reactor;
    const Clock& clock;
    const Pipe& pipe;
    TimePoint& woke;
  } state{reactor, clock, pipe, woke};
  reactor.spawn([](State& s) -> Co<void> {
    co_await sleep_for(s.reactor, 20ms);
    s.woke = s.clock.now();
    s.pipe.put();
  }(state));
  reactor.run();
  EXPECT_EQ(handler.calls, 1);
  EXPECT_GE(woke - begin, 20ms);
  EXPECT_FALSE(reactor.stopping());
}

constexpr const char* kWaitingNames[] = {"adaptive", "poll", "yield", "block"};

INSTANTIATE_TEST_SUITE_P(Waiting, ReactorRun,
                         ::testing::Values(Reactor::Waiting::adaptive, Reactor::Waiting::poll,
                                           Reactor::Waiting::yield, Reactor::Waiting::block),
                         [](const auto& info) {
                           return kWaitingNames[static_cast<std::size_t>(info.param)];
                         });

}  // namespace
}  // namespace krg::reactor

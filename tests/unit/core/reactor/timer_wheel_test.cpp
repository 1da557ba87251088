#include "krg/reactor/timer_wheel.h"

#include <gtest/gtest.h>

#include <functional>
#include <list>
#include <memory>
#include <random>

#include "krg/testing/seed.h"

// The timer wheel against a sorted list.
namespace krg::reactor {
namespace {

using namespace std::chrono_literals;

constexpr Duration kTick{1 << 20};

struct TestTimer final : Timer {
  void on_timer() noexcept override {
    ++fired;
    if (then) then();
  }
  int fired = 0;
  std::function<void()> then;
};

// A random time ahead: mostly near, sometimes hours, sometimes past the wheel's end.
Duration ahead(std::mt19937_64& random) {
  switch (random() % 8) {
    case 0:
      return Duration(random() % 1000);
    case 1:
    case 2:
      return Duration(random() % 5'000'000);
    case 3:
    case 4:
      return Duration(random() % 200'000'000);
    case 5:
      return Duration(random() % 60'000'000'000);
    case 6:
      return Duration(random() % 10'000'000'000'000);
    default:
      return Duration(random() % 80'000'000'000'000);
  }
}

// Goal    every timer fires once, never early, at most one tick late; next() is never too late.
// Method  random adds, cancels and steps of the clock; after each step every timer is looked at.
void run_against_model(std::uint64_t seed) {
  const testing::ScopedSeed scoped(seed);
  std::mt19937_64 random(seed);
  TimePoint now{Duration(random() % 1'000'000'000'000)};
  TimerWheel wheel(now);
  std::list<TestTimer> timers;
  const auto step = [&](TimePoint to) {
    now = to;
    wheel.advance(now);
    for (auto timer = timers.begin(); timer != timers.end();) {
      const TimePoint due = timer->deadline().at();
      ASSERT_LE(timer->fired, 1);
      if (timer->fired == 1) {
        ASSERT_LE(due, now) << "early by " << (due - now).count();
        timer = timers.erase(timer);
      } else {
        ASSERT_GT(due + kTick * 2, now) << "late by " << (now - due).count();
        ++timer;
      }
    }
  };
  for (int i = 0; i < 400; ++i) {
    switch (random() % 4) {
      case 0:
      case 1:
        wheel.add(timers.emplace_back(), Deadline(now + ahead(random)));
        break;
      case 2:
        if (!timers.empty()) {
          timers.erase(std::next(timers.begin(), static_cast<long>(random() % timers.size())));
        }
        break;
      default: {
        const auto next = wheel.next();
        ASSERT_EQ(next.has_value(), !timers.empty());
        // No timer may be due at the wake-up that next() promises minus a tick.
        for (const TestTimer& timer : timers) {
          ASSERT_LE(*next, timer.deadline().at() + kTick * 2) << "next() sleeps too long";
        }
        // Small steps, jumps to next(), and leaps.
        TimePoint to = now + ahead(random) / 8;
        if (random() % 2 == 0 && next) to = std::max(now, *next);
        ASSERT_NO_FATAL_FAILURE(step(to));
      }
    }
  }
  // Driven by next() alone, everything fires, in a bounded number of wake-ups.
  for (int wakes = 0; !timers.empty(); ++wakes) {
    ASSERT_LT(wakes, 20'000);
    const auto next = wheel.next();
    ASSERT_TRUE(next.has_value());
    ASSERT_GT(*next, now) << "a wake-up without progress";
    ASSERT_NO_FATAL_FAILURE(step(*next));
  }
}

TEST(TimerWheel, FiresAsASortedListWould) {
  for (std::uint64_t i = 0; i < 500; ++i) {
    ASSERT_NO_FATAL_FAILURE(run_against_model(testing::seed() + i));
  }
}

TEST(TimerWheel, TimersOfOneDeadlineFireInOrderOfAdding) {
  TimerWheel wheel(TimePoint{});
  std::vector<int> order;
  std::list<TestTimer> timers;
  for (int i = 0; i < 10; ++i) {
    TestTimer& timer = timers.emplace_back();
    timer.then = [&order, i] { order.push_back(i); };
    wheel.add(timer, Deadline(TimePoint{3s}));
  }
  wheel.advance(TimePoint{4s});
  ASSERT_EQ(order.size(), 10u);
  for (int i = 0; i < 10; ++i) EXPECT_EQ(order[static_cast<std::size_t>(i)], i);
}

TEST(TimerWheel, NeverIsNotAdded) {
  TimerWheel wheel(TimePoint{});
  TestTimer timer;
  wheel.add(timer, Deadline::never());
  EXPECT_FALSE(timer.linked());
  EXPECT_FALSE(wheel.next().has_value());
}

TEST(TimerWheel, DeadlinesAtTheEndsOfTimeNeitherOverflowNorFireEarly) {
  TimerWheel wheel(TimePoint{1s});
  TestTimer last, past, before_origin;
  wheel.add(last, Deadline(TimePoint{Duration::max() - 1ns}));
  wheel.add(past, Deadline(TimePoint{500ms}));
  wheel.add(before_origin, Deadline(TimePoint{-5s}));
  wheel.advance(TimePoint{1s + 2 * kTick});
  EXPECT_EQ(past.fired, 1);
  EXPECT_EQ(before_origin.fired, 1);
  EXPECT_EQ(last.fired, 0);
  wheel.advance(TimePoint{10h});
  EXPECT_EQ(last.fired, 0);
}

TEST(TimerWheel, CallbackMayAddItselfAgainAndCancelOthers) {
  TimerWheel wheel(TimePoint{});
  TestTimer repeating;
  auto victim = std::make_unique<TestTimer>();
  repeating.then = [&] {
    victim.reset();
    if (repeating.fired < 5)
      wheel.add(repeating, Deadline(TimePoint{10ms * (repeating.fired + 1)}));
  };
  wheel.add(repeating, Deadline(TimePoint{10ms}));
  wheel.add(*victim, Deadline(TimePoint{10ms}));  // In the same slot, after it.
  for (int ms = 0; ms < 100; ++ms) wheel.advance(TimePoint{ms * 1ms});
  EXPECT_EQ(repeating.fired, 5);
  EXPECT_EQ(victim, nullptr);
}

}  // namespace
}  // namespace krg::reactor

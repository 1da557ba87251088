#include "krg/reactor/wait_controller.h"

#include <gtest/gtest.h>

// The waiting policy on invented tick sequences, one tick a nanosecond. Busy loops beside it while
// it polls are in reactor_waiting.
namespace krg::reactor {
namespace {

using Action = WaitController::Action;
using State = WaitController::State;

class WaitControllerTest : public ::testing::Test {
 protected:
  explicit WaitControllerTest(std::uint64_t system_call = 0) : controller_(1.0, system_call) {}

  // Idles until it wants to sleep or `limit` has passed; a yield takes `yield` ns. True if it
  // slept.
  bool idle(std::uint64_t yield, std::uint64_t limit, bool soon = false) {
    for (const std::uint64_t end = now_ + limit; now_ < end;) {
      const bool at_once = controller_.poll_at_once();
      switch (at_once ? Action::poll : controller_.idle(now_, soon)) {
        case Action::poll:
          now_ += 100;
          ++polls_;
          break;
        case Action::yield:
          controller_.yielded(now_, now_ + yield);
          now_ += yield;
          ++yields_;
          break;
        case Action::block:
          return true;
      }
    }
    return false;
  }
  void sleep(std::uint64_t length) {
    now_ += length;
    controller_.woke(now_);
  }

  WaitController controller_;
  std::uint64_t now_ = 1'000'000;
  int polls_ = 0, yields_ = 0;
};

// Of a virtual machine within another one.
constexpr std::uint64_t kSystemCall = 1'070;

class SlowSystemCallsTest : public WaitControllerTest {
 protected:
  SlowSystemCallsTest() : WaitControllerTest(kSystemCall) {}
};

constexpr std::uint64_t kQuick = 300, kTaskRan = 5'000, kSlice = 4'000'000;

TEST_F(WaitControllerTest, SpinsWhileTheCoreIsOursAndSleepsAfterFiftyMicroseconds) {
  const std::uint64_t begin = now_;
  EXPECT_TRUE(idle(kQuick, 1'000'000));
  EXPECT_EQ(controller_.state(), State::spin);
  EXPECT_GE(now_ - begin, 50'000u);
  EXPECT_LE(now_ - begin, 60'000u);
  EXPECT_GT(polls_, 50 * yields_) << "it probes too often";
  EXPECT_GT(yields_, 0) << "it never probes";
}

TEST_F(WaitControllerTest, SpinsForAMillisecondWhileSomethingIsSureToEndSoon) {
  const std::uint64_t begin = now_;
  EXPECT_TRUE(idle(kQuick, 10'000'000, true));
  EXPECT_GE(now_ - begin, 1'000'000u);
  EXPECT_LE(now_ - begin, 1'100'000u);
  EXPECT_GT(yields_, 0) << "it never probes";
}

TEST_F(WaitControllerTest, WorkBeginsTheIdleTimeAnew) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_FALSE(idle(kQuick, 40'000));
    controller_.worked();
  }
}

TEST_F(WaitControllerTest, AYieldThatLetsATaskRunMakesItCooperate) {
  idle(kTaskRan, 30'000);
  EXPECT_EQ(controller_.state(), State::coop);
  // From now on it yields after each empty poll.
  polls_ = yields_ = 0;
  controller_.worked();
  EXPECT_TRUE(idle(kTaskRan, 1'000'000));
  EXPECT_EQ(polls_, 0);
  EXPECT_LE(yields_, 40) << "it does not give up";
}

TEST_F(WaitControllerTest, QuickYieldsBringItBackToSpinning) {
  idle(kTaskRan, 30'000);
  ASSERT_EQ(controller_.state(), State::coop);
  for (int i = 0; i < 10 && controller_.state() != State::spin; ++i) {
    controller_.worked();
    idle(kQuick, 5'000);
  }
  EXPECT_EQ(controller_.state(), State::spin);
}

TEST_F(SlowSystemCallsTest, AYieldThatIsSlowOnlyAsEverySystemCallIsLetsNoTaskRun) {
  EXPECT_TRUE(idle(kSystemCall + kQuick, 1'000'000));
  EXPECT_EQ(controller_.state(), State::spin);
  controller_.woke(now_);
  idle(kSystemCall + kTaskRan, 30'000);
  EXPECT_EQ(controller_.state(), State::coop);
}

TEST_F(WaitControllerTest, LostSlicesMakeItAvoidTheHogAndBackOff) {
  std::uint64_t pause = 0;
  int probes = 0;
  for (const std::uint64_t end = now_ + 20'000'000'000; now_ < end;) {
    const int yields = yields_;
    idle(kSlice, 50'000'000);
    controller_.worked();
    if (yields_ > yields) ++probes;
    if (controller_.state() == State::hog) {
      const std::uint64_t since = now_;
      while (controller_.idle(now_) != Action::yield && now_ < end) sleep(1'000'000);
      pause = std::max(pause, now_ - since);
    }
  }
  EXPECT_LE(probes, 30) << "in 20 s beside a busy loop it has given away too many slices";
  EXPECT_GE(pause, 1'500'000'000u) << "it does not back off to 2 s";
  EXPECT_LE(pause, 2'100'000'000u);
}

TEST_F(WaitControllerTest, AProbeAfterTheHogIsGoneComesBack) {
  while (controller_.state() != State::hog) {
    idle(kSlice, 50'000'000);
    controller_.worked();
  }
  for (int i = 0; i < 1000 && controller_.state() != State::spin; ++i) {
    idle(kQuick, 100'000);
    sleep(1'000'000);
  }
  EXPECT_EQ(controller_.state(), State::spin);
  const std::uint64_t begin = now_;
  controller_.worked();
  EXPECT_TRUE(idle(kQuick, 1'000'000));
  EXPECT_GE(now_ - begin, 50'000u);
}

// What it would have seen, had it polled a little longer, makes it poll longer.
TEST_F(WaitControllerTest, WorkThatComesSoonAfterItSleptMakesItSpinLonger) {
  const auto spin = [&] {
    const std::uint64_t begin = now_;
    EXPECT_TRUE(idle(kQuick, 10'000'000));
    return now_ - begin;
  };
  std::uint64_t spun = 0;
  for (int i = 0; i < 5; ++i) {
    spun = spin();
    sleep(80'000);
    controller_.worked();
  }
  EXPECT_GE(spun, 200'000u);
  EXPECT_LE(spun, 450'000u);
  for (int i = 0; i < 5; ++i) {
    spun = spin();
    sleep(1'000'000);
    controller_.worked();
  }
  EXPECT_LE(spun, 60'000u) << "work that came late goes on to be awaited by polling";
}

TEST_F(WaitControllerTest, WhatWakesItForNothingTeachesNothing) {
  for (int i = 0; i < 10; ++i) {
    EXPECT_TRUE(idle(kQuick, 10'000'000));
    sleep(1'000);
  }
  const std::uint64_t begin = now_;
  EXPECT_TRUE(idle(kQuick, 10'000'000));
  EXPECT_LE(now_ - begin, 60'000u);
}

class BesideHogsTest : public WaitControllerTest {
 protected:
  BesideHogsTest() {
    while (controller_.state() != State::hog) {
      idle(kSlice, 50'000'000);
      controller_.worked();
    }
  }
};

TEST_F(BesideHogsTest, WhatIsSureToComeSoonIsAwaitedByPollingForLonger) {
  const std::uint64_t begin = now_;
  EXPECT_TRUE(idle(kSlice, 10'000'000, true));
  EXPECT_GE(now_ - begin, 200'000u);
  EXPECT_LE(now_ - begin, 250'000u);
}

TEST_F(BesideHogsTest, WhenAllThreadsHaveAProcessorItProbesAtOnce) {
  EXPECT_FALSE(controller_.asks(now_)) << "right after it has lost slices";
  now_ += 20'000'000;
  ASSERT_TRUE(controller_.asks(now_));
  controller_.answer(now_, false);
  EXPECT_FALSE(controller_.asks(now_)) << "it asks all the time";
  now_ += 20'000'000;
  ASSERT_TRUE(controller_.asks(now_));
  controller_.answer(now_, true);
  EXPECT_EQ(controller_.idle(now_), Action::yield);
  controller_.yielded(now_, now_ + kQuick);
  EXPECT_EQ(controller_.state(), State::coop);
}

TEST_F(BesideHogsTest, AnAnswerThatCostASliceIsNotBelievedTwice) {
  int slices = 0;
  for (int i = 0; i < 50 && now_ < 1'000'000'000; ++i) {
    now_ += 20'000'000;
    if (controller_.asks(now_)) controller_.answer(now_, true);
    const int before = yields_;
    idle(kSlice, 100'000);
    controller_.worked();
    slices += yields_ - before;
  }
  EXPECT_GE(slices, 2);
  EXPECT_LE(slices, 8) << "in a second beside a busy loop it has given away too many slices";
}

}  // namespace
}  // namespace krg::reactor

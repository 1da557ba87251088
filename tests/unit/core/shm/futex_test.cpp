#include "krg/shm/futex.h"

#include <gtest/gtest.h>

#include <thread>

namespace krg::shm {
namespace {

using namespace std::chrono_literals;

TEST(ShmFutex, AnotherValueReturnsAtOnce) {
  FutexWord word{1};
  EXPECT_EQ(futex_wait(word, 0, Deadline::never()), Woken::maybe);
}

TEST(ShmFutex, TheDeadlineEndsTheSleepButNotEarly) {
  FutexWord word{0};
  const TimePoint until = monotonic_now() + 5ms;
  EXPECT_EQ(futex_wait(word, 0, Deadline(until)), Woken::timed_out);
  EXPECT_GE(monotonic_now(), until);
  EXPECT_EQ(futex_wait(word, 0, Deadline(TimePoint{})), Woken::timed_out);
}

TEST(ShmFutex, AStoreAndAWakeEndTheSleepOfAnotherThread) {
  FutexWord word{0};
  std::thread sleeper([&] {
    while (word.load() == 0) futex_wait(word, 0, Deadline(monotonic_now() + 10s));
  });
  word.store(1);
  futex_wake(word, 1);
  sleeper.join();
}

}  // namespace
}  // namespace krg::shm

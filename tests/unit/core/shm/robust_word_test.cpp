#include "krg/shm/robust_word.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <new>
#include <thread>
#include <vector>

#include "krg/shm/segment.h"

namespace krg::shm {
namespace {

using namespace std::chrono_literals;

struct Shared {
  RobustWord lock;
  std::uint64_t counter = 0;
};

class RobustWordTest : public testing::Test {
 protected:
  RobustWordTest() : segment_(std::move(*Segment::create("test", 4096))) {
    shared_ = new (segment_.bytes().data()) Shared;
  }
  static Deadline soon() { return Deadline(monotonic_now() + 20s); }

  Segment segment_;
  Shared* shared_;
};

TEST_F(RobustWordTest, LocksAndUnlocks) {
  EXPECT_EQ(shared_->lock.owner(), 0u);
  ASSERT_TRUE(shared_->lock.try_lock());
  EXPECT_TRUE(shared_->lock.held_by_me());
  EXPECT_EQ(shared_->lock.try_lock().error().code(), Errc::would_block);
  shared_->lock.unlock();
  EXPECT_FALSE(shared_->lock.held_by_me());
  EXPECT_TRUE(shared_->lock.try_lock());
}

TEST_F(RobustWordTest, AWaitForALivingOwnerTimesOut) {
  ASSERT_TRUE(shared_->lock.try_lock());
  std::thread([&] {
    const auto got = shared_->lock.lock(Deadline(monotonic_now() + 30ms));
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().code(), Errc::timed_out);
  }).join();
}

TEST_F(RobustWordTest, ExcludesThreads) {
  constexpr int kRounds = 20'000;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) {
        ASSERT_TRUE(shared_->lock.lock(soon()));
        ++shared_->counter;
        shared_->lock.unlock();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(shared_->counter, 4u * kRounds);
}

TEST_F(RobustWordTest, AnOwnerThatIsKilledHandsTheLockOnAndTheNextOneIsTold) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    if (!shared_->lock.try_lock()) _exit(1);
    if (write(ready[1], "x", 1) != 1) _exit(1);
    for (;;) pause();
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  EXPECT_EQ(shared_->lock.try_lock().error().code(), Errc::would_block);
  ASSERT_EQ(kill(child, SIGKILL), 0);
  // Even as a zombie, before its parent has looked, it is dead.
  const auto got = shared_->lock.lock(soon());
  ASSERT_TRUE(got);
  EXPECT_EQ(*got, RobustWord::Got::owner_died);
  ASSERT_EQ(waitpid(child, nullptr, 0), child);
  shared_->lock.unlock();
  const auto next = shared_->lock.try_lock();
  ASSERT_TRUE(next);
  EXPECT_EQ(*next, RobustWord::Got::clean);
  close(ready[0]);
  close(ready[1]);
}

}  // namespace
}  // namespace krg::shm

// Goal    locks whose holder's node has failed go on, and the next one is told; what kept its state
//         on that node alone says that it is lost, and does not hang; a barrier goes on.
// Method  three krgds in processes of their own, over libfabric; this process is a task of node 0,
//         a child is one of node 1, whose krgd is killed, and then the child.
#include <future>

#include "../regions/krgds.h"
#include "krg/locks/barrier.h"
#include "krg/locks/futex.h"
#include "krg/locks/mutex.h"
#include "krg/locks/rw_lock.h"
#include "krg/locks/semaphore.h"

namespace krg {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kHeld = 0, kFree = 1, kWritten = 2, kPermits = 3, kLatch = 4, kWord = 5,
                        kBarrier = 6, kCount = 7;

struct Task {
  explicit Task(const std::string& gate)
      : space(std::move(*kddm::Space::connect(gate))),
        locks(std::move(*Locks::open(*space, "lost.locks", kCount))) {}
  std::unique_ptr<kddm::Space> space;
  std::unique_ptr<Locks> locks;
};

// Has one mutex and one lock, and was the last to use all others.
[[noreturn]] void use_all(const std::string& gate, int ready) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  Task task(gate);
  Mutex held(*task.locks, kHeld), free(*task.locks, kFree);
  bool done = held.lock() && free.lock() && free.unlock();
  const auto writes = RwLock(*task.locks, kWritten).write();
  done = done && writes && Semaphore(*task.locks, kPermits, 0).release(3);
  done = done && Latch(*task.locks, kLatch, 2).count_down();
  done = done && Futex(*task.locks, kWord).update([](std::uint32_t) { return 7u; });
  if (!done) ::_exit(1);
  write_all(ready, {std::byte{1}});
  for (;;) ::pause();
}

class LostLocks : public Krgds {};

TEST_F(LostLocks, GoOnAndTheNextOneIsTold) {
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t holder = ::fork();
  if (holder == 0) use_all(gate(1), ready[1]);
  ::close(ready[1]);
  ASSERT_FALSE(read_some(ready[0]).empty());
  ::close(ready[0]);
  const Task task(gate(0));
  Mutex held(*task.locks, kHeld);
  EXPECT_EQ(held.try_lock().error().code(), Errc::would_block);
  // One waits since before the death.
  std::promise<void> got, seen;
  auto waiter = std::async(std::launch::async, [&] {
    auto taken = Mutex(*task.locks, kHeld).lock(60s);
    if (!taken) return taken;
    static_cast<void>(held.make_consistent());
    static_cast<void>(held.unlock());
    return taken;
  });
  EXPECT_EQ(waiter.wait_for(300ms), std::future_status::timeout);
  kill_krgd(1);
  ::kill(holder, SIGKILL);
  ::waitpid(holder, nullptr, 0);
  const auto taken = waiter.get();
  ASSERT_TRUE(taken) << taken.error().message();
  EXPECT_EQ(*taken, Taken::owner_died);
  const auto again = held.lock(20s);
  ASSERT_TRUE(again) << again.error().message();
  EXPECT_EQ(*again, Taken::clean) << "it was put right";
  EXPECT_TRUE(held.unlock());
  // Nobody knows whether it was unlocked.
  Mutex free(*task.locks, kFree);
  EXPECT_EQ(*free.lock(20s), Taken::owner_died);
  EXPECT_TRUE(free.make_consistent() && free.unlock());
  RwLock written(*task.locks, kWritten);
  EXPECT_EQ(written.read(20s).error().native(), EOWNERDEAD);
  {
    auto writer = written.write(20s);
    ASSERT_TRUE(writer) << writer.error().message();
    EXPECT_TRUE(writer->owner_died());
    writer->make_consistent();
  }
  EXPECT_TRUE(written.read(20s));
  // What is not held has no next one to be told; its state is gone.
  EXPECT_EQ(Semaphore(*task.locks, kPermits, 0).acquire(20s).error().code(), Errc::lost);
  EXPECT_EQ(Latch(*task.locks, kLatch, 2).wait(20s).error().code(), Errc::lost);
  EXPECT_EQ(Futex(*task.locks, kWord).wait(7, 20s).error().code(), Errc::lost);
  EXPECT_TRUE(Barrier(*task.locks, kBarrier, 1).arrive_and_wait(20s));
}

}  // namespace
}  // namespace krg

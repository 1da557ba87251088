// The instant at which the node stops to serve by itself.

#include "fixture.h"
#include "krg/base/spin_pause.h"
#include "krg/share/serving_clock.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

TEST(ShareClock, TheTickOfAnInstantComesNotAfterIt) {
  for (const Ticks ticks : {Ticks::monotonic, ServingClock::best()}) {
    ServingClock clock(ticks);
    for (const auto ahead : {Duration(1ms), Duration(10ms), Duration(50ms)}) {
      const TimePoint until = shm::monotonic_now() + ahead;
      const std::uint64_t tick = clock.tick_at(until);
      while (ticks_now(ticks) < tick) spin_pause();
      const TimePoint reached = shm::monotonic_now();
      // A busy machine may have stopped us in between; that can only make it later.
      if (reached >= until) continue;
      EXPECT_GE(reached, until - ahead / 100 - Duration(20us));
    }
    EXPECT_EQ(clock.tick_at(shm::monotonic_now()), 0u);
    EXPECT_EQ(clock.tick_at(Deadline::never().at()), ~std::uint64_t{0});
  }
}

TEST(ShareClock, NothingIsServedBeforeTheFirstLeaseOfTheNodeAndAfterItsEnd) {
  for (const Ticks ticks : {Ticks::monotonic, ServingClock::best()}) {
    StoreOptions options = small_store();
    options.ticks = ticks;
    auto made = NodeStore::create(options);
    ASSERT_OK(made);
    NodeStore node = std::move(*made);
    const auto task = make_task(node);
    const auto slot = node.allocate(kSet, ObjectId{1}, 8);
    ASSERT_OK(slot);
    ASSERT_OK(node.thaw(*slot, Access::write));
    const Handle handle = node.handle(*slot);
    EXPECT_EQ(task->store->try_read(handle).miss(), Miss::expired);
    const TimePoint until = shm::monotonic_now() + 20ms;
    node.serve_until(until);
    const bool served = static_cast<bool>(task->store->try_read(handle));
    EXPECT_TRUE(served || shm::monotonic_now() >= until - 1ms);
    while (shm::monotonic_now() < until) spin_pause();
    EXPECT_EQ(task->store->try_read(handle).miss(), Miss::expired);
    EXPECT_EQ(task->store->try_write(handle).miss(), Miss::expired);
    node.serve_until(shm::monotonic_now() + 1h);
    EXPECT_TRUE(task->store->try_write(handle));
  }
}

}  // namespace
}  // namespace krg::kddm

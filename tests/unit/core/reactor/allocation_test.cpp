#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <vector>

#include "krg/reactor/event.h"
#include "krg/testing/allocations.h"
#include "krg/testing/drive.h"

// What a steady state allocates: nothing.
namespace krg::reactor {
namespace {

using namespace std::chrono_literals;

Co<int> leaf(Reactor& reactor) {
  co_await sleep_for(reactor, 1ms);
  co_return 1;
}

Co<void> work(Reactor& reactor, Event& event, int& done) {
  int sum = 0;
  for (int i = 0; i < 3; ++i) sum += co_await leaf(reactor);
  (void)co_await event.wait(reactor.after(1ms));
  done += sum;
}

TEST(ReactorAllocation, SpawnAwaitSleepAndTimeoutAllocateNothingOnceWarm) {
  VirtualClock clock;
  Reactor reactor(clock);
  Event never(reactor);
  int done = 0;
  const auto round = [&] {
    done = 0;
    for (int i = 0; i < 100; ++i) reactor.spawn(work(reactor, never, done));
    for (int turns = 0; done < 300 && turns < 1000; ++turns) {
      while (reactor.turn()) {
      }
      if (const auto next = reactor.next_timer()) clock.advance_to(*next);
    }
    EXPECT_EQ(done, 300);
  };
  round();
  const std::uint64_t before = testing::allocations();
  for (int i = 0; i < 100; ++i) round();
  EXPECT_EQ(testing::allocations() - before, 0u);
}

Co<int> big_frame(Reactor& reactor) {
  std::array<char, 4000> place{};
  co_await sleep_for(reactor, 1ms);
  co_return place[17];
}

TEST(ReactorAllocation, FramesBeyondThePoolComeFromTheHeapAndGoBack) {
  VirtualClock clock;
  Reactor reactor(clock);
  bool done = false;
  const std::uint64_t before = testing::allocations();
  reactor.spawn(
      [](Reactor& r, bool& flag) -> Co<void> { flag = co_await big_frame(r) == 0; }(reactor, done));
  EXPECT_TRUE(testing::turn_until(
      clock, reactor, [&] { return done; }, 1s));
  EXPECT_GT(testing::allocations(), before);
}

TEST(ReactorAllocation, FramesOfEverySizeAreReusedByTheirClass) {
  // Sizes on both sides of every class boundary, in and out again.
  std::vector<std::pair<void*, std::size_t>> blocks;
  blocks.reserve(200);
  for (int pass = 0; pass < 2; ++pass) {
    const std::uint64_t before = testing::allocations();
    for (std::size_t size = 1; size <= 2048; size += size % 64 == 0 ? 1 : 63) {
      blocks.emplace_back(allocate_frame(size), size);
      std::memset(blocks.back().first, 0xab, size);
    }
    if (pass == 1) {
      EXPECT_EQ(testing::allocations(), before);
    }
    for (const auto& [block, size] : blocks) free_frame(block, size);
    blocks.clear();
  }
}

}  // namespace
}  // namespace krg::reactor

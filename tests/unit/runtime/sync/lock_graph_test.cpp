#include "krg/sync/lock_graph.h"

#include <gtest/gtest.h>

namespace krg::sync {
namespace {

// What node `node` tells of tasks of one thread each, whose number is the task's.
struct Teller {
  explicit Teller(std::uint32_t node) { told.node = NodeId{node}; }
  Teller& holds(std::int32_t pid, std::uint64_t lock, bool writes = true) {
    LockHolder holder;
    holder.set = kSet;
    holder.object = kddm::ObjectId{lock};
    holder.pid = pid;
    holder.thread = writes ? pid : 0;
    holder.writes = writes;
    holder.alone = !writes && alone;
    told.report.holders.push_back(holder);
    return *this;
  }
  Teller& waits(std::int32_t pid, std::uint64_t lock, bool writes = true, std::int32_t thread = 0) {
    told.report.waiters.push_back(
        {kSet, kddm::ObjectId{lock}, pid, thread == 0 ? pid : thread, ++names, writes, 5});
    return *this;
  }

  static constexpr kddm::SetId kSet{77};
  NodeLocks told;
  std::uint64_t names = 0;
  bool alone = true;
};

std::vector<std::int32_t> pids_of(const LockCycle& cycle) {
  std::vector<std::int32_t> pids;
  for (const LockCycle::Step& step : cycle.steps) pids.push_back(step.who.pid);
  return pids;
}

TEST(LockGraph, TwoTasksOnTwoNodesThatHoldWhatTheOtherWaitsForAreACircle) {
  Teller one(0), two(1);
  one.holds(10, 3).waits(10, 4);
  two.holds(20, 4).waits(20, 3).waits(21, 3);
  const auto locks = merge({one.told, two.told});
  const auto cycles = find_cycles(locks);
  ASSERT_EQ(cycles.size(), 1u);
  ASSERT_EQ(cycles[0].steps.size(), 2u);
  for (const LockCycle::Step& step : cycles[0].steps) {
    EXPECT_EQ(locks[step.lock].object.value, step.who.pid == 10 ? 4u : 3u);
  }
}

TEST(LockGraph, AWaitForWhoWaitsForNobodyIsNoCircle) {
  Teller one(0), two(1);
  one.holds(10, 3).waits(10, 4);
  two.holds(20, 4).waits(21, 3);
  EXPECT_TRUE(find_cycles(merge({one.told, two.told})).empty());
}

TEST(LockGraph, ATaskOfTheSameNumberOnAnotherNodeIsAnother) {
  Teller one(0), two(1), three(2);
  one.holds(10, 3).waits(10, 4);
  two.holds(20, 4);
  three.waits(20, 3);
  EXPECT_TRUE(find_cycles(merge({one.told, two.told, three.told})).empty());
}

TEST(LockGraph, AnotherThreadOfTheHolderMayWait) {
  Teller one(0);
  one.holds(10, 3).waits(10, 4, true, 11).holds(20, 4).waits(20, 3);
  EXPECT_TRUE(find_cycles(merge({one.told})).empty());
}

TEST(LockGraph, WhoWaitsForItselfIsACircleOfOne) {
  Teller one(0);
  one.holds(10, 3).waits(10, 3);
  const auto cycles = find_cycles(merge({one.told}));
  ASSERT_EQ(cycles.size(), 1u);
  EXPECT_EQ(pids_of(cycles[0]), std::vector<std::int32_t>{10});
}

TEST(LockGraph, ReadersDoNotWaitForReadersButForWritersThatWait) {
  Teller readers(0);
  readers.holds(10, 3, false).waits(10, 4, false).holds(20, 4, false).waits(20, 3, false);
  EXPECT_TRUE(find_cycles(merge({readers.told})).empty());
  // A writer that waits for lock 3 stands before who asks to read it again.
  Teller again(0);
  again.holds(10, 3, false).waits(30, 3, true).waits(10, 3, false);
  EXPECT_EQ(find_cycles(merge({again.told})).size(), 1u);
}

TEST(LockGraph, WhichOfSeveralThreadsReadsIsNotGuessed) {
  Teller one(0);
  one.alone = false;
  one.holds(10, 3, false).waits(10, 3, true);
  EXPECT_TRUE(find_cycles(merge({one.told})).empty());
}

TEST(LockGraph, CirclesOfTheirOwnAreToldEach) {
  Teller one(0);
  for (std::int32_t i = 0; i < 100; i += 2) {
    const auto lock = static_cast<std::uint64_t>(i);
    one.holds(i + 1, lock).waits(i + 1, lock + 1).holds(i + 2, lock + 1).waits(i + 2, lock);
  }
  EXPECT_EQ(find_cycles(merge({one.told})).size(), 50u);
}

TEST(LockGraph, OnlyWaitsThatLastCount) {
  Teller before(0), now(0);
  before.holds(10, 3).waits(10, 4).holds(20, 4).waits(20, 3);
  now.holds(10, 3).waits(10, 4).holds(20, 4);
  ++now.names;  // Another wait than before.
  now.waits(20, 3);
  auto locks = merge({now.told});
  EXPECT_EQ(find_cycles(locks).size(), 1u);
  keep_lasting(locks, merge({before.told}));
  EXPECT_TRUE(find_cycles(locks).empty());
}

}  // namespace
}  // namespace krg::sync

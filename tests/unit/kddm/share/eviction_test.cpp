// What is to be given up when memory is short.

#include <gmock/gmock.h>

#include <vector>

#include "fixture.h"

namespace krg::kddm {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

std::vector<SlotId> victims(Store& s, std::uint64_t bytes, std::size_t slots = 0) {
  std::vector<SlotId> out;
  s.node.victims(bytes, slots, out);
  return out;
}

TEST(ShareEviction, OnlyReadCopiesThatNobodyUsesAreVictims) {
  Store s;
  const auto task = s.task();
  s.make(ObjectId{1}, 100, Access::write);
  s.make(ObjectId{2}, 100, Access::none);
  const SlotId used = s.make(ObjectId{3}, 100, Access::read);
  const SlotId frozen = s.make(ObjectId{4}, 100, Access::read);
  const SlotId free = s.make(ObjectId{5}, 100, Access::read);
  const ReadLease lease = task->store->try_read(s.node.handle(used));
  s.node.freeze(frozen);
  EXPECT_THAT(victims(s, 10000), ElementsAre(free));
}

TEST(ShareEviction, WhoWasUsedSinceTheHandCameByGetsASecondChance) {
  Store s;
  const auto task = s.task();
  std::vector<SlotId> slots;
  for (std::uint64_t i = 0; i < 4; ++i) slots.push_back(s.make(ObjectId{i}, 4096, Access::read));
  // New ones count as used: the first round clears that, the second takes the first of them.
  EXPECT_THAT(victims(s, 1), ElementsAre(slots[0]));
  ASSERT_TRUE(task->store->try_read(s.node.handle(slots[1])));
  EXPECT_THAT(victims(s, 1), ElementsAre(slots[2]));
  EXPECT_THAT(victims(s, 8192), ElementsAre(slots[3], slots[0]));
  EXPECT_THAT(victims(s, 1), ElementsAre(slots[1])) << "its second chance is over";
}

TEST(ShareEviction, EveryVictimIsNamedOnceAndNoMoreThanAsked) {
  Store s;
  std::vector<SlotId> slots;
  for (std::uint64_t i = 0; i < 10; ++i) slots.push_back(s.make(ObjectId{i}, 128, Access::read));
  EXPECT_EQ(victims(s, ~std::uint64_t{0}).size(), 10u);
  EXPECT_EQ(victims(s, 384).size(), 3u);
  EXPECT_EQ(victims(s, 0, 4).size(), 4u);
  EXPECT_THAT(victims(s, 0), IsEmpty());
}

TEST(ShareEviction, ObjectsInTheirSlotsAreTakenForSlotsAndNotForBytes) {
  Store s;
  const SlotId small = s.make(ObjectId{1}, 16, Access::read);
  const SlotId large = s.make(ObjectId{2}, 4096, Access::read);
  EXPECT_THAT(victims(s, 1), ElementsAre(large));
  EXPECT_THAT(victims(s, 0, 1), ElementsAre(small));
}

TEST(ShareEviction, WhatVictimsGiveUpIsRoomForOthers) {
  StoreOptions options = small_store();
  options.budget_bytes = 4 * kStorePage;
  Store s(options);
  for (std::uint64_t i = 0; i < 4; ++i) s.make(ObjectId{i}, kStorePage, Access::read);
  ASSERT_ERROR(s.node.allocate(kSet, ObjectId{9}, 2 * kStorePage), Errc::no_memory);
  for (const SlotId slot : victims(s, 2 * kStorePage)) {
    ASSERT_TRUE(s.node.freeze(slot).idle());
    ASSERT_OK(s.node.free(slot));
  }
  EXPECT_OK(s.node.allocate(kSet, ObjectId{9}, 2 * kStorePage));
  EXPECT_EQ(s.node.bytes_used(), s.node.bytes_budget());
}

}  // namespace
}  // namespace krg::kddm

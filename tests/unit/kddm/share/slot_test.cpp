// Slots: what krgd makes, finds, resizes and frees.

#include <gmock/gmock.h>

#include <map>
#include <random>

#include "fixture.h"
#include "krg/testing/seed.h"

namespace krg::kddm {
namespace {

using ::testing::Each;

TEST(ShareSlot, IsFoundByKrgdAndByTasksUntilItIsFreed) {
  Store s;
  const auto task = s.task();
  const SlotId slot = s.make(ObjectId{7}, 100, Access::read, 3);
  EXPECT_EQ(s.node.find(kSet, ObjectId{7}), slot);
  EXPECT_EQ(task->store->find(kSet, ObjectId{7}), s.node.handle(slot));
  EXPECT_FALSE(task->store->find(kSet, ObjectId{8}));
  EXPECT_FALSE(task->store->find(SetId{4712}, ObjectId{7}));
  s.node.freeze(slot);
  ASSERT_OK(s.node.free(slot));
  EXPECT_EQ(s.node.find(kSet, ObjectId{7}), kNoSlot);
  EXPECT_FALSE(task->store->find(kSet, ObjectId{7}));
  EXPECT_EQ(s.node.objects(), 0u);
  EXPECT_EQ(s.node.bytes_used(), 0u);
}

TEST(ShareSlot, AHandleOfThePastIsRefused) {
  Store s;
  const auto task = s.task();
  const SlotId slot = s.make(ObjectId{1}, 8, Access::write);
  const Handle past = task->store->find(kSet, ObjectId{1});
  s.node.freeze(slot);
  ASSERT_OK(s.node.free(slot));
  const SlotId again = s.make(ObjectId{2}, 8, Access::write);
  ASSERT_EQ(again, slot);
  EXPECT_EQ(task->store->try_read(past).miss(), Miss::absent);
  EXPECT_EQ(task->store->try_write(past).miss(), Miss::absent);
  EXPECT_TRUE(task->store->try_write(kSet, ObjectId{2}));
}

TEST(ShareSlot, WhatIsKeptWithASlotIsInItsListUntilItIsTaken) {
  Store s;
  SlotId first = kNoSlot;
  std::vector<SlotId> slots;
  for (std::uint64_t i = 0; i < 4; ++i) {
    slots.push_back(s.make(ObjectId{i}, 8, Access::write));
    EXPECT_FALSE(s.node.kept(slots[i]));
    s.node.keep(slots[i], {static_cast<std::uint8_t>(i + 1), 100 + i}, first);
  }
  const auto all = [&] {
    std::vector<SlotId> found;
    for (SlotId at = first; at != kNoSlot; at = s.node.next_kept(at)) found.push_back(at);
    return found;
  };
  EXPECT_EQ(all(), (std::vector<SlotId>{slots[3], slots[2], slots[1], slots[0]}));
  const Kept inner = s.node.take_kept(slots[2], first);
  EXPECT_EQ(inner.what, 3);
  EXPECT_EQ(inner.version, 102u);
  EXPECT_FALSE(s.node.kept(slots[2]));
  EXPECT_EQ(all(), (std::vector<SlotId>{slots[3], slots[1], slots[0]}));
  s.node.take_kept(slots[3], first);
  s.node.take_kept(slots[0], first);
  EXPECT_EQ(all(), std::vector<SlotId>{slots[1]});
  EXPECT_EQ(s.node.kept(slots[1]).version, 101u);
  s.node.take_kept(slots[1], first);
  EXPECT_EQ(first, kNoSlot);
}

TEST(ShareSlot, SizesLieWhereTheyShould) {
  Store s;
  const auto task = s.task();
  const std::uint64_t sizes[] = {0,    1,    32,   33,   64,    65,     100,    1000,
                                 3584, 3585, 4096, 4097, 49152, 100000, 1 << 20};
  std::uint64_t id = 0;
  for (const std::uint64_t size : sizes) {
    ++id;
    const SlotId slot = s.make(ObjectId{id}, size, Access::read, static_cast<int>(id));
    const ReadLease lease = task->store->try_read(s.node.handle(slot));
    ASSERT_TRUE(lease) << size;
    EXPECT_EQ(lease.bytes().size(), size);
    EXPECT_THAT(lease.bytes(), Each(static_cast<std::byte>(id)));
    const auto address = reinterpret_cast<std::uintptr_t>(lease.bytes().data());
    EXPECT_EQ(address % (size >= kStorePage ? kStorePage : size > 32 ? 64 : 32), 0u) << size;
    EXPECT_EQ(task->store->file_offset(lease), s.node.file_offset(slot));
  }
}

TEST(ShareSlot, TheSameObjectIsNotMadeTwiceAndNoneOfNoSet) {
  Store s;
  s.make(ObjectId{1}, 8, Access::read);
  EXPECT_ERROR(s.node.allocate(kSet, ObjectId{1}, 8), Errc::already_exists);
  EXPECT_ERROR(s.node.allocate(kNoSet, ObjectId{1}, 8), Errc::invalid_argument);
  EXPECT_ERROR(s.node.allocate(kSet, ObjectId{2}, (std::uint64_t{1} << 30) + 1), Errc::too_large);
  EXPECT_EQ(s.node.objects(), 1u);
}

TEST(ShareSlot, ThereAreNoMoreThanTheGeometrySays) {
  Store s;
  for (std::uint64_t i = 0; i < s.node.geometry().slots; ++i) {
    s.make(ObjectId{i}, 0, Access::read);
  }
  EXPECT_ERROR(s.node.allocate(kSet, ObjectId{1000}, 0), Errc::limit_reached);
}

TEST(ShareSlot, ResizeKeepsTheBytesThatFit) {
  Store s;
  const SlotId slot = s.make(ObjectId{1}, 10, Access::write, 9);
  s.node.freeze(slot);
  for (const std::uint64_t size : {32, 33, 200, 5000, 100000, 5000, 70, 32, 10}) {
    ASSERT_OK(s.node.resize(slot, size));
    ASSERT_EQ(s.node.bytes(slot).size(), size);
    EXPECT_THAT(s.node.bytes(slot).first(10), Each(std::byte{9})) << size;
  }
  EXPECT_EQ(s.node.bytes_used(), 0u);
}

TEST(ShareSlot, ResizeFailsWithoutAChangeWhenTheBudgetIsUsedUp) {
  StoreOptions options = small_store();
  options.budget_bytes = 8 * kStorePage;
  Store s(options);
  const SlotId slot = s.make(ObjectId{1}, 4 * kStorePage, Access::write, 5);
  s.node.freeze(slot);
  EXPECT_ERROR(s.node.resize(slot, 9 * kStorePage), Errc::no_memory);
  EXPECT_EQ(s.node.bytes(slot).size(), 4 * kStorePage);
  EXPECT_EQ(s.node.bytes_used(), 4 * kStorePage);
  EXPECT_ERROR(s.node.allocate(kSet, ObjectId{2}, 5 * kStorePage), Errc::no_memory);
  EXPECT_EQ(s.node.find(kSet, ObjectId{2}), kNoSlot);
}

// Goal    the index finds what is there and nothing else, whatever came and went.
// Method  random allocations and frees beside a map; now and then all ids are looked up.
TEST(ShareSlot, TheIndexIsAMap) {
  StoreOptions options = small_store();
  options.geometry.slots = 3000;
  Store s(options);
  const auto task = s.task();
  std::mt19937_64 random(krg::testing::seed());
  std::map<std::uint64_t, SlotId> model;
  for (int step = 0; step < 20000; ++step) {
    const std::uint64_t id = random() % 5000;
    if (const auto found = model.find(id); found != model.end()) {
      s.node.freeze(found->second);
      ASSERT_OK(s.node.free(found->second));
      model.erase(found);
    } else if (model.size() < options.geometry.slots) {
      model[id] = s.make(ObjectId{id}, 0, Access::read);
    }
    if (step % 4000 != 0) continue;
    for (std::uint64_t i = 0; i < 5000; ++i) {
      const auto is = model.find(i);
      const SlotId expected = is == model.end() ? kNoSlot : is->second;
      ASSERT_EQ(s.node.find(kSet, ObjectId{i}), expected);
      ASSERT_EQ(task->store->find(kSet, ObjectId{i}).slot, expected);
    }
  }
}

TEST(ShareSlot, OptionsThatMakeNoSenseAreRefused) {
  StoreOptions options = small_store();
  options.geometry.slots = 0;
  EXPECT_ERROR(NodeStore::create(options), Errc::invalid_argument);
  options = small_store();
  options.geometry.tasks = Geometry::kTasksMax + 1;
  EXPECT_ERROR(NodeStore::create(options), Errc::invalid_argument);
  options = small_store();
  ++options.geometry.data_bytes;
  EXPECT_ERROR(NodeStore::create(options), Errc::invalid_argument);
  options = small_store();
  options.budget_bytes = options.geometry.data_bytes + 1;
  EXPECT_ERROR(NodeStore::create(options), Errc::invalid_argument);
}

TEST(ShareSlot, ATaskRefusesWhatIsNoStore) {
  Store s;
  const auto open = [&](int directory, int shared, Geometry geometry, TaskIndex task) {
    return LocalStore::open({copy_of(directory), copy_of(shared), geometry, task}, {});
  };
  const int directory = s.node.directory_fd();
  const int shared = s.node.shared_fd();
  const Geometry right = s.node.geometry();
  Geometry wrong = right;
  wrong.slots *= 2;
  EXPECT_ERROR(open(directory, shared, wrong, TaskIndex{0}), Errc::protocol_error);
  EXPECT_ERROR(open(shared, directory, right, TaskIndex{0}), Errc::protocol_error);
  EXPECT_ERROR(open(directory, shared, right, TaskIndex{4}), Errc::protocol_error);
  EXPECT_OK(open(directory, shared, right, TaskIndex{3}));
}

}  // namespace
}  // namespace krg::kddm

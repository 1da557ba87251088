// A task that writes anything anywhere it can: krgd must not mind.

#include <sys/mman.h>

#include <random>
#include <vector>

#include "fixture.h"
#include "krg/testing/seed.h"

namespace krg::kddm {
namespace {

TEST(ShareWildTask, CanNotMapTheDirectoryToWrite) {
  Store s;
  const UniqueFd fd = copy_of(s.node.directory_fd());
  EXPECT_EQ(::mmap(nullptr, kStorePage, PROT_READ | PROT_WRITE, MAP_SHARED, fd.get(), 0),
            MAP_FAILED);
  EXPECT_LT(::pwrite(fd.get(), "x", 1, 0), 0);
  EXPECT_NE(::ftruncate(fd.get(), 0), 0);
  EXPECT_NE(::ftruncate(s.node.shared_fd(), 0), 0);
}

TEST(ShareWildTask, AWriterThatIsInNoTableIsNone) {
  Store s;
  const auto task = s.task();
  const SlotId slot = s.make(ObjectId{1}, 8, Access::write);
  auto segment =
      shm::Segment::adopt(copy_of(s.node.shared_fd()), shared_map(s.node.geometry()).bytes);
  ASSERT_OK(segment);
  Slot* const slots = segment->at(shm::Offset<Slot>{shared_map(s.node.geometry()).slots}, 64);
  for (const std::uint32_t writer : {0u, 3u, 17u, 65534u}) {
    slots[slot.value].word =
        Word(slots[slot.value].word.load()).with_writer(TaskIndex{writer}).bits();
    EXPECT_EQ(task->store->try_read(s.node.handle(slot)).miss(), Miss::writer);
    EXPECT_TRUE(s.node.freeze(slot).idle());
    ASSERT_OK(s.node.thaw(slot, Access::write));
    EXPECT_TRUE(task->store->try_write(s.node.handle(slot)));
  }
}

// Goal    whatever is in the shared segment, krgd neither crashes nor loses count of its memory.
// Method  a second mapping fills counts, tables and slots with random words between the calls of a
//         random krgd. What calls return may be anything; in the end all tasks are gone, and every
//         slot can be frozen, freed and used again.
TEST(ShareWildTask, AnythingInTheSharedSegmentHarmsNoBookOfKrgd) {
  Store s;
  const Geometry g = s.node.geometry();
  auto segment = shm::Segment::adopt(copy_of(s.node.shared_fd()), shared_map(g).bytes);
  ASSERT_OK(segment);
  std::mt19937_64 random(krg::testing::seed());
  auto* const words = reinterpret_cast<std::atomic<std::uint64_t>*>(segment->bytes().data());
  const SharedMap map = shared_map(g);
  std::vector<TaskIndex> tasks;
  for (std::uint32_t i = 0; i < g.tasks; ++i) tasks.push_back(*s.node.attach());
  std::vector<SlotId> slots;
  std::uint64_t next = 0;
  const auto scribble = [&] {
    const std::uint64_t kinds[][2] = {
        {0, kCacheLine}, {map.tables, map.slots}, {map.slots, map.data}};
    for (int i = 0; i < 40; ++i) {
      const auto& [from, to] = kinds[random() % 3];
      // Small numbers are likelier to be somebody's slot or task.
      const std::uint64_t value = random() >> (random() % 64);
      words[(from + random() % (to - from)) / 8].store(value);
    }
  };
  for (int step = 0; step < 20000; ++step) {
    scribble();
    const SlotId slot = slots.empty() ? kNoSlot : slots[random() % slots.size()];
    std::vector<SlotId> out;
    switch (random() % 8) {
      case 0:
        if (auto made = s.node.allocate(kSet, ObjectId{next++}, random() % 10000)) {
          slots.push_back(*made);
        }
        break;
      case 1:
        if (slot != kNoSlot) s.node.freeze(slot);
        break;
      case 2:
        if (slot != kNoSlot && s.node.is_frozen(slot)) {
          (void)s.node.thaw(slot, static_cast<Access>(random() % 3));
        }
        break;
      case 3:
        if (slot != kNoSlot && s.node.is_frozen(slot) && s.node.free(slot)) {
          std::erase(slots, slot);
        }
        break;
      case 4:
        if (slot != kNoSlot && s.node.is_frozen(slot)) (void)s.node.resize(slot, random() % 10000);
        break;
      case 5:
        if (slot != kNoSlot && s.node.is_frozen(slot)) {
          const TaskIndex task = tasks[random() % tasks.size()];
          const auto grant = s.node.grant(slot, task, static_cast<LeaseKind>(random() % 2));
          if (grant && random() % 2 == 0) s.node.withdraw(task, *grant);
        }
        break;
      case 6:
        s.node.sweep(out);
        break;
      case 7:
        s.node.victims(random() % 100000, random() % 10, out);
        if (random() % 50 == 0) {
          const TaskIndex task = tasks[random() % tasks.size()];
          s.node.release_all(task);
          ASSERT_EQ(*s.node.attach(), task);
        }
        break;
    }
    ASSERT_EQ(s.node.objects(), slots.size());
  }
  for (const TaskIndex task : tasks) s.node.release_all(task);
  for (const SlotId slot : slots) {
    ASSERT_TRUE(s.node.freeze(slot).idle());
    ASSERT_OK(s.node.free(slot));
  }
  EXPECT_EQ(s.node.objects(), 0u);
  EXPECT_EQ(s.node.bytes_used(), 0u);
  for (std::uint64_t i = 0; i < g.slots; ++i) s.make(ObjectId{i}, 8, Access::write);
}

}  // namespace
}  // namespace krg::kddm

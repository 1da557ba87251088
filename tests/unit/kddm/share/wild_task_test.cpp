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

// A krgd that does anything, beside a task that writes anything.
class WildTask : public ::testing::Test {
 protected:
  void SetUp() override {
    auto segment = shm::Segment::adopt(copy_of(s_.node.shared_fd()), map_.bytes);
    ASSERT_OK(segment);
    segment_ = std::move(*segment);
    words_ = reinterpret_cast<std::atomic<std::uint64_t>*>(segment_.bytes().data());
    for (std::uint32_t i = 0; i < s_.node.geometry().tasks; ++i)
      tasks_.push_back(*s_.node.attach());
  }

  // Fills some words of counts, tables and slots.
  void scribble() {
    const std::uint64_t kinds[][2] = {
        {0, kCacheLine}, {map_.tables, map_.slots}, {map_.slots, map_.data}};
    for (int i = 0; i < 40; ++i) {
      const auto& [from, to] = kinds[random_() % 3];
      // Small numbers are likelier to be somebody's slot or task.
      const std::uint64_t value = random_() >> (random_() % 64);
      words_[(from + random_() % (to - from)) / 8].store(value);
    }
  }

  void change_a_frozen(SlotId slot, std::uint64_t what) {
    const TaskIndex task = tasks_[random_() % tasks_.size()];
    if (what == 0) {
      (void)s_.node.thaw(slot, static_cast<Access>(random_() % 3));
    } else if (what == 1) {
      if (s_.node.free(slot)) std::erase(slots_, slot);
    } else if (what == 2) {
      (void)s_.node.resize(slot, random_() % 10000);
    } else {
      const auto grant = s_.node.grant(slot, task, static_cast<LeaseKind>(random_() % 2));
      if (grant && random_() % 2 == 0) s_.node.withdraw(task, *grant);
    }
  }

  void do_anything() {
    std::vector<SlotId> out;
    const std::uint64_t what = random_() % 8;
    if (what == 0) {
      const auto made = s_.node.allocate(kSet, ObjectId{next_++}, random_() % 10000);
      if (made) slots_.push_back(*made);
    } else if (what == 1) {
      s_.node.sweep(out);
    } else if (what == 2) {
      s_.node.victims(random_() % 100000, random_() % 10, out);
    } else if (what == 3 && random_() % 50 == 0) {
      const TaskIndex task = tasks_[random_() % tasks_.size()];
      s_.node.release_all(task);
      ASSERT_EQ(*s_.node.attach(), task);
    } else if (!slots_.empty()) {
      const SlotId slot = slots_[random_() % slots_.size()];
      if (!s_.node.is_frozen(slot)) {
        s_.node.freeze(slot);
      } else {
        change_a_frozen(slot, random_() % 4);
      }
    }
  }

  Store s_;
  const SharedMap map_ = shared_map(s_.node.geometry());
  shm::Segment segment_;
  std::atomic<std::uint64_t>* words_ = nullptr;
  std::mt19937_64 random_{krg::testing::seed()};
  std::vector<TaskIndex> tasks_;
  std::vector<SlotId> slots_;
  std::uint64_t next_ = 0;
};

// Goal    whatever is in the shared segment, krgd neither crashes nor loses count of its memory.
// Method  a second mapping scribbles between the calls of a random krgd. What calls return may be
//         anything; in the end all tasks are gone, and every slot can be frozen, freed, used again.
TEST_F(WildTask, HarmsNoBookOfKrgd) {
  for (int step = 0; step < 20000; ++step) {
    scribble();
    do_anything();
    ASSERT_EQ(s_.node.objects(), slots_.size());
  }
  for (const TaskIndex task : tasks_) s_.node.release_all(task);
  for (const SlotId slot : slots_) {
    ASSERT_TRUE(s_.node.freeze(slot).idle());
    ASSERT_OK(s_.node.free(slot));
  }
  EXPECT_EQ(s_.node.objects(), 0u);
  EXPECT_EQ(s_.node.bytes_used(), 0u);
  for (std::uint64_t i = 0; i < s_.node.geometry().slots; ++i)
    s_.make(ObjectId{i}, 8, Access::write);
}

}  // namespace
}  // namespace krg::kddm

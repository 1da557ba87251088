// Threads of several tasks that read and write while krgd freezes, takes away, refills, moves and
// grants: nobody ever sees what is not an object's content, and no write is lost.

#include <algorithm>
#include <array>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "fixture.h"
#include "krg/testing/seed.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kObjects = 5;
constexpr std::uint64_t kMoreWords = 750;  // Of a resized object.
constexpr std::size_t kTasksHere = 3;
constexpr std::size_t kThreadsOfTask = 2;
constexpr Duration kLength = 1500ms;

// The thread sanitizer knows memory by its address: there everything is in one mapping.
#ifdef __SANITIZE_THREAD__
constexpr Mapping kTasksMapping = Mapping::of_krgd;
#else
constexpr Mapping kTasksMapping = Mapping::own;
#endif

// An object is some words that are all alike: the number of writes it has had.
std::uint64_t words_of(std::uint64_t object) {
  constexpr std::array<std::uint64_t, kObjects> kWords = {1, 4, 16, 200, 600};
  return kWords[object];
}

std::span<std::uint64_t> words(std::span<std::byte> bytes) {
  return {reinterpret_cast<std::uint64_t*>(bytes.data()), bytes.size() / 8};
}
std::span<const std::uint64_t> words(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const std::uint64_t*>(bytes.data()), bytes.size() / 8};
}
template <class Words>
bool alike(const Words& of) {
  return std::all_of(of.begin(), of.end(), [&](std::uint64_t word) { return word == of[0]; });
}

// The slow way: a thread leaves its wish, krgd grants it in its own time.
struct Wish {
  TaskIndex task;
  std::uint64_t object = 0;
  LeaseKind kind = LeaseKind::read;
  Grant grant;
  std::atomic<int> state{0};  // 1: granted. 2: not.
};

struct Counts {
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> writes{0};
  std::atomic<std::uint64_t> granted{0};
  std::atomic<std::uint64_t> bad{0};
  std::array<std::atomic<std::uint64_t>, kObjects> writes_of{};
};

class Hammer {
 public:
  explicit Hammer(Mapping mapping) {
    for (auto& task : tasks_) task = store_.task(mapping);
    for (std::uint64_t i = 0; i < kObjects; ++i) {
      slots_[i] = store_.make(ObjectId{i}, words_of(i) * 8, Access::write);
    }
  }

  void run() {
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < kTasksHere * kThreadsOfTask; ++i) {
      threads.emplace_back([this, i] { work(i); });
    }
    krgd();
    for (auto& thread : threads) thread.join();
    finish();
  }

 private:
  // --- tasks

  void work(std::size_t number) {
    TestTask& task = *tasks_[number % kTasksHere];
    std::mt19937_64 random(krg::testing::seed() + number);
    std::array<Handle, kObjects> cached{};
    std::array<std::uint64_t, kObjects> last{};
    while (!stop_.load(std::memory_order_relaxed)) {
      const std::uint64_t object = random() % kObjects;
      if (random() % 4 == 0) cached[object] = task.store->find(kSet, ObjectId{object});
      const bool ask = random() % 16 == 0;
      if (random() % 3 != 0) {
        ReadLease lease = task.store->try_read(cached[object]);
        if (!lease && ask) lease = ask_for(task, object, LeaseKind::read);
        if (lease) read(lease, object, last[object]);
      } else {
        WriteLease lease = task.store->try_write(cached[object]);
        if (!lease && ask) lease = ask_to_write(task, object);
        if (lease) write(lease, object, last[object]);
      }
    }
  }

  // Each object has sizes of its own, so this is the one that was asked for.
  static bool is_whole(std::span<const std::uint64_t> all, std::uint64_t object) {
    const std::uint64_t size = words_of(object);
    return (all.size() == size || all.size() == size + kMoreWords) && alike(all);
  }

  void read(const ReadLease& lease, std::uint64_t object, std::uint64_t& last) {
    const auto all = words(lease.bytes());
    if (!is_whole(all, object) || all[0] < last) ++counts_.bad;
    last = all[0];
    ++counts_.reads;
  }

  void write(const WriteLease& lease, std::uint64_t object, std::uint64_t& last) {
    const auto all = words(lease.bytes());
    if (!is_whole(all, object) || all[0] < last) ++counts_.bad;
    for (std::uint64_t& word : all) ++word;
    last = all[0];
    ++counts_.writes;
    ++counts_.writes_of[object];
  }

  bool wait_for(Wish& wish) {
    {
      const std::lock_guard lock(wishes_lock_);
      wishes_.push_back(&wish);
    }
    while (wish.state.load() == 0) std::this_thread::yield();
    counts_.granted += wish.state == 1;
    return wish.state == 1;
  }
  ReadLease ask_for(TestTask& task, std::uint64_t object, LeaseKind kind) {
    Wish wish{task.index, object, kind, {}, {}};
    if (!wait_for(wish)) return {};
    ReadLease lease = task.store->adopt_read(wish.grant);
    counts_.bad += !lease;
    return lease;
  }
  WriteLease ask_to_write(TestTask& task, std::uint64_t object) {
    Wish wish{task.index, object, LeaseKind::write, {}, {}};
    if (!wait_for(wish)) return {};
    WriteLease lease = task.store->adopt_write(wish.grant);
    counts_.bad += !lease;
    return lease;
  }

  // --- krgd

  void krgd() {
    std::mt19937_64 random(krg::testing::seed() + 1000);
    const TimePoint end = shm::monotonic_now() + kLength;
    while (shm::monotonic_now() < end) {
      serve_wishes();
      const std::uint64_t object = random() % kObjects;
      switch (random() % 5) {
        case 0:
          downgrade_and_back(object);
          break;
        case 1:
          refill(object, random);
          break;
        case 2:
          move(object);
          break;
        case 3:
          resize(object);
          break;
        default:
          std::this_thread::yield();
          break;
      }
    }
    stop_ = true;
    std::size_t left = 1;
    while (left > 0) {
      serve_wishes();
      const std::lock_guard lock(wishes_lock_);
      left = wishes_.size();
    }
  }

  NodeStore& node() { return store_.node; }

  // Freezes, and waits for the rings of those who use it: nothing else may be needed.
  void stop_all(std::uint64_t object) {
    const SlotId slot = slots_[object];
    if (node().freeze(slot).idle()) return;
    const TimePoint limit = shm::monotonic_now() + 20s;
    std::vector<SlotId> idle;
    int seen = -1;
    while (std::find(idle.begin(), idle.end(), slot) == idle.end()) {
      int rings = 0;
      for (const auto& task : tasks_) rings += task->rings;
      if (rings == seen) {
        std::this_thread::yield();
        ASSERT_LT(shm::monotonic_now(), limit) << "a ring is lost";
        continue;
      }
      seen = rings;
      node().sweep(idle);
    }
  }

  void thaw(std::uint64_t object, Access access) { EXPECT_OK(node().thaw(slots_[object], access)); }

  void downgrade_and_back(std::uint64_t object) {
    if (node().freeze(slots_[object]).writer != kNoTask) {
      thaw(object, Access::write);
      return;
    }
    // Readers stay, and read on.
    thaw(object, Access::read);
    std::this_thread::yield();
    node().freeze(slots_[object]);
    thaw(object, Access::write);
  }

  void refill(std::uint64_t object, std::mt19937_64& random) {
    stop_all(object);
    auto all = words(node().bytes(slots_[object]));
    counts_.bad += !alike(all);
    const std::uint64_t value = all[0];
    for (std::uint64_t& word : all) word = random();
    thaw(object, Access::none);
    std::this_thread::yield();
    counts_.bad += !node().freeze(slots_[object]).idle();
    std::fill(all.begin(), all.end(), value);
    thaw(object, random() % 2 == 0 ? Access::read : Access::write);
    if (node().access(slots_[object]) == Access::write) return;
    node().freeze(slots_[object]);
    thaw(object, Access::write);
  }

  // Into another slot, under another generation.
  void move(std::uint64_t object) {
    stop_all(object);
    const auto all = words(node().bytes(slots_[object]));
    counts_.bad += !alike(all);
    const std::uint64_t value = all[0];
    std::fill(all.begin(), all.end(), 77777777 + object);
    ASSERT_OK(node().free(slots_[object]));
    const auto slot = node().allocate(kSet, ObjectId{object}, words_of(object) * 8);
    ASSERT_OK(slot);
    slots_[object] = *slot;
    const auto fresh = words(node().bytes(*slot));
    std::fill(fresh.begin(), fresh.end(), value);
    thaw(object, Access::write);
  }

  void resize(std::uint64_t object) {
    stop_all(object);
    const std::uint64_t bytes = words_of(object) * 8;
    const SlotId slot = slots_[object];
    const std::uint64_t before = words(node().bytes(slot))[0];
    EXPECT_OK(
        node().resize(slot, node().bytes(slot).size() == bytes ? bytes + kMoreWords * 8 : bytes));
    const auto all = words(node().bytes(slot));
    counts_.bad += all[0] != before;
    std::fill(all.begin(), all.end(), before);
    thaw(object, Access::write);
  }

  void serve_wishes() {
    std::vector<Wish*> wishes;
    {
      const std::lock_guard lock(wishes_lock_);
      wishes.swap(wishes_);
    }
    for (Wish* const wish : wishes) {
      const SlotId slot = slots_[wish->object];
      node().freeze(slot);
      const auto grant = node().grant(slot, wish->task, wish->kind);
      thaw(wish->object, Access::write);
      if (grant) wish->grant = *grant;
      wish->state = grant ? 1 : 2;
    }
  }

  void finish() {
    for (std::uint64_t i = 0; i < kObjects; ++i) {
      const Frozen frozen = node().freeze(slots_[i]);
      EXPECT_TRUE(frozen.idle());
      const auto all = words(node().bytes(slots_[i]));
      EXPECT_TRUE(alike(all));
      EXPECT_EQ(all[0], counts_.writes_of[i]) << "a write is lost";
    }
    EXPECT_EQ(counts_.bad, 0u);
    EXPECT_GT(counts_.reads, 1000u);
    EXPECT_GT(counts_.writes, 1000u);
    EXPECT_GT(counts_.granted, 10u);
    std::printf("%lu reads, %lu writes, %lu granted\n", counts_.reads.load(), counts_.writes.load(),
                counts_.granted.load());
  }

  Store store_;
  std::array<std::unique_ptr<TestTask>, kTasksHere> tasks_;
  std::array<SlotId, kObjects> slots_{};
  Counts counts_;
  std::atomic<bool> stop_{false};
  std::mutex wishes_lock_;
  std::vector<Wish*> wishes_;
};

TEST(ShareHammer, NobodySeesWhatIsNotThere) { Hammer(kTasksMapping).run(); }

}  // namespace
}  // namespace krg::kddm

// Sets whose objects last in a file or with a linker of one's own.
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>

#include "kddm_cluster.h"
#include "krg/linkers/file_linker.h"
#include "krg/reactor/event.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBytes = 4096;
constexpr std::uint64_t kLimit = 40 * kBytes;
constexpr std::uint32_t kNodes = 3;

// Keeps what is written back in a map of all nodes, and fails when it is told to.
struct Shelf {
  std::map<std::uint64_t, std::vector<std::byte>> objects;
  unsigned touched = 0;
  unsigned written = 0;
  Status fails;
  NodeId prefers = kNoNode;
  Duration takes{};  // To write an object.
};

class ShelfLinker final : public Linker {
 public:
  ShelfLinker(Shelf& shelf, reactor::Reactor& reactor) : shelf_(shelf), reactor_(reactor) {}
  const char* name() const noexcept override { return "shelf"; }
  bool writes_back() const noexcept override { return true; }
  Co<Status> first_touch(SetId, ObjectId object, Bytes into) override {
    KRG_CO_TRY(shelf_.fails);
    ++shelf_.touched;
    std::memset(into.data(), 0, into.size());
    const auto at = shelf_.objects.find(object.value);
    if (at != shelf_.objects.end()) std::memcpy(into.data(), at->second.data(), into.size());
    co_return Status();
  }
  Co<Status> write_back(SetId, ObjectId object, std::span<const std::byte> from) override {
    KRG_CO_TRY(shelf_.fails);
    if (shelf_.takes != Duration::zero()) co_await reactor::sleep_for(reactor_, shelf_.takes);
    ++shelf_.written;
    shelf_.objects[object.value].assign(from.begin(), from.end());
    co_return Status();
  }
  NodeId preferred_home(SetId, ObjectId) const noexcept override { return shelf_.prefers; }

 private:
  Shelf& shelf_;
  reactor::Reactor& reactor_;
};

class BackingTest : public ::testing::TestWithParam<bool> {
 protected:
  BackingTest() {
    char name[] = "/tmp/krg-backing-XXXXXX";
    KRG_ASSERT(::mkdtemp(name) != nullptr);
    folder_ = name;
  }
  ~BackingTest() override {
    cluster_.reset();
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  std::string path() const { return folder_ + "/objects"; }

  void begin(std::uint64_t limit = 0, std::uint64_t seed = 1) {
    cluster_.emplace(kNodes, GetParam(), seed, std::vector<std::uint64_t>(kNodes, limit));
    for (std::uint32_t i = 0; i < kNodes; ++i) {
      files_[i] = std::make_unique<FileLinker>(NodeId{i}, nullptr);
      shelves_[i] = std::make_unique<ShelfLinker>(shelf_, cluster_->world().reactor(NodeId{i}));
      cluster_->kddm(i).add_linker(*files_[i]);
      cluster_->kddm(i).add_linker(*shelves_[i]);
    }
  }
  Result<SetId> create(const SetOptions& options) {
    return cluster_->run(0, cluster_->kddm(0).create(options, cluster_->soon()));
  }
  static SetOptions options_of(const char* linker) {
    SetOptions options;
    options.object_bytes = kBytes;
    options.flags = static_cast<std::uint32_t>(SetFlag::touch_at_home);
    options.linker = linker;
    return options;
  }
  SetId make_file_set(const std::string& where, NodeId home = kNoNode) {
    SetOptions options = options_of("file");
    options.linker_data = where;
    if (home != kNoNode) options.policy = HomePolicy::fixed;
    options.home = home;
    return *create(options);
  }
  SetId make_shelf_set() { return *create(options_of("shelf")); }

  static Co<Status> put(Kddm& kddm, SetId set, ObjectId object, std::uint64_t value,
                        OpOptions options) {
    KRG_CO_TRY_ASSIGN(Lease lease, co_await kddm.grab(set, object, options));
    std::memcpy(lease.writable().data(), &value, sizeof value);
    co_return Status();
  }
  static Co<Result<std::uint64_t>> read(Kddm& kddm, SetId set, ObjectId object, OpOptions options) {
    KRG_CO_TRY_ASSIGN(const Lease lease, co_await kddm.get(set, object, options));
    std::uint64_t value = 0;
    std::memcpy(&value, lease.bytes().data(), sizeof value);
    co_return value;
  }
  Status write(std::uint32_t node, SetId set, std::uint64_t object, std::uint64_t value) {
    return cluster_->run(
        node, put(cluster_->kddm(node), set, ObjectId{object}, value, cluster_->within()));
  }
  Result<std::uint64_t> get(std::uint32_t node, SetId set, std::uint64_t object) {
    return cluster_->run(node,
                         read(cluster_->kddm(node), set, ObjectId{object}, cluster_->within()));
  }
  Status sync(std::uint32_t node, SetId set, std::uint64_t object) {
    return cluster_->run(node,
                         cluster_->kddm(node).sync(set, ObjectId{object}, cluster_->within()));
  }
  std::uint64_t in_file(std::uint64_t object) {
    std::ifstream file(path(), std::ios::binary);
    file.seekg(static_cast<std::streamoff>(object * kBytes));
    std::uint64_t value = 0;
    file.read(reinterpret_cast<char*>(&value), sizeof value);
    return file ? value : 0;
  }

  std::string folder_;
  Shelf shelf_;
  std::array<std::unique_ptr<FileLinker>, kNodes> files_;
  std::array<std::unique_ptr<ShelfLinker>, kNodes> shelves_;
  std::optional<KddmCluster> cluster_;
};

TEST_P(BackingTest, TheFirstTouchReadsAndSyncWrites) {
  {
    std::ofstream file(path(), std::ios::binary);
    const std::uint64_t value = 4711;
    file.seekp(5 * kBytes);
    file.write(reinterpret_cast<const char*>(&value), sizeof value);
  }
  begin();
  const SetId set = make_file_set(path());
  for (std::uint32_t node = 0; node < kNodes; ++node) EXPECT_EQ(*get(node, set, 5), 4711u);
  ASSERT_TRUE(write(1, set, 5, 12));
  EXPECT_EQ(in_file(5), 4711u) << "a write stays in memory";
  ASSERT_TRUE(sync(2, set, 5));
  EXPECT_EQ(in_file(5), 12u);
  for (std::uint64_t i = 0; i < 20; ++i) ASSERT_TRUE(write(i % kNodes, set, i, 100 + i));
  const Status all = cluster_->run(1, cluster_->kddm(1).sync(set, cluster_->soon()));
  ASSERT_TRUE(all) << all.error().message();
  for (std::uint64_t i = 0; i < 20; ++i) EXPECT_EQ(in_file(i), 100 + i);
}

TEST_P(BackingTest, FlushWritesBackFirst) {
  begin();
  const SetId set = make_file_set(path(), NodeId{2});
  ASSERT_TRUE(write(0, set, 1, 42));
  ASSERT_TRUE(cluster_->run(0, cluster_->kddm(0).flush(set, ObjectId{1}, cluster_->within())));
  EXPECT_EQ(in_file(1), 42u);
  EXPECT_FALSE(cluster_->kddm(0).find(set, ObjectId{1}));
  EXPECT_EQ(*get(0, set, 1), 42u);
}

TEST_P(BackingTest, OnlyWhatWasWrittenIsWrittenBack) {
  begin();
  const SetId set = make_shelf_set();
  for (std::uint64_t i = 0; i < 10; ++i) ASSERT_TRUE(get(1, set, i));
  ASSERT_TRUE(write(1, set, 3, 5));
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(cluster_->run(0, cluster_->kddm(0).sync(set, cluster_->soon())));
  }
  EXPECT_EQ(shelf_.touched, 10u);
  EXPECT_EQ(shelf_.written, 1u);
}

TEST_P(BackingTest, MoreThanAllNodesHoldIsPagedOutAndIn) {
  begin(kLimit);
  const SetId set = make_file_set(path());
  constexpr std::uint64_t kObjects = 400;
  for (std::uint64_t i = 0; i < kObjects; ++i) {
    const Status written = write(i % kNodes, set, i, 1000 + i);
    ASSERT_TRUE(written) << i << ": " << written.error().message();
  }
  for (std::uint64_t i = 0; i < kObjects; ++i) {
    const auto value = get((i + 1) % kNodes, set, i);
    ASSERT_TRUE(value) << i << ": " << value.error().message();
    ASSERT_EQ(*value, 1000 + i);
  }
  cluster_->settle();
  for (std::uint32_t i = 0; i < kNodes; ++i) EXPECT_LE(cluster_->kddm(i).used_bytes(), kLimit);
  EXPECT_GE(std::filesystem::file_size(path()), 250 * kBytes);
}

// Goal    no write is lost when an object is paged out while others want it.
// Method  every node adds to counters at random, with room for a few of them, while views change
//         now and then; in the end each counter is as high as it was counted up.
TEST_P(BackingTest, NoWriteIsLostByPagingOut) {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    shelf_ = {};
    cluster_.reset();
    begin(12 * kBytes, seed);
    const SetId set = make_shelf_set();
    constexpr std::uint64_t kObjects = 60;
    std::array<std::uint64_t, kObjects> sums{};
    const auto add = [&](std::uint32_t node, std::uint64_t object) -> Co<Status> {
      const auto one = [](Kddm& kddm, SetId s, ObjectId o, OpOptions options,
                          std::uint64_t& sum) -> Co<Status> {
        KRG_CO_TRY_ASSIGN(Lease lease, co_await kddm.grab(s, o, options));
        std::uint64_t value = 0;
        std::memcpy(&value, lease.bytes().data(), sizeof value);
        ++value;
        std::memcpy(lease.writable().data(), &value, sizeof value);
        ++sum;
        co_return Status();
      };
      return one(cluster_->kddm(node), set, ObjectId{object}, cluster_->within(), sums[object]);
    };
    sim::Random& random = cluster_->world().random();
    std::array<std::optional<Status>, 12> running;
    unsigned refused = 0;
    for (int i = 0; i < 4000; ++i) {
      auto& slot = running[random.below(running.size())];
      if (slot && !*slot) ++refused;
      if (slot || i < static_cast<int>(running.size())) {
        slot.reset();
        // Some are wanted by all.
        const std::uint64_t object =
            random.below(3) == 0 ? random.below(4) : random.below(kObjects);
        const auto node = static_cast<std::uint32_t>(random.below(kNodes));
        cluster_->start(node, add(node, object), slot);
      }
      cluster_->world().run_for(Duration(random.below(30'000)));
      if (i % 1000 == 999) cluster_->enter(cluster::NodeSet::first(kNodes));
    }
    cluster_->world().run_for(30s);
    for (std::uint64_t i = 0; i < kObjects; ++i) {
      const auto value = get(static_cast<std::uint32_t>(i % kNodes), set, i);
      ASSERT_TRUE(value) << "seed " << seed << ": " << value.error().message();
      EXPECT_EQ(*value, sums[i]) << "seed " << seed << " object " << i;
    }
    EXPECT_GT(shelf_.written, 100u) << "seed " << seed << ": hardly anything was paged out";
    EXPECT_LT(refused, 2000u);
  }
}

TEST_P(BackingTest, OnAFullDiskSyncSaysSoAndNothingIsLost) {
  begin(kLimit);
  const SetId set = make_file_set("/dev/full", NodeId{1});
  std::uint64_t made = 0;
  Status refused;
  for (; made < 300; ++made) {
    refused = write(made % kNodes, set, made, 1000 + made);
    if (!refused) break;
  }
  ASSERT_FALSE(refused) << "what can not be written back must stay";
  EXPECT_EQ(refused.error().code(), Errc::no_space);
  EXPECT_GE(made, 80u);
  const Status full = sync(0, set, 3);
  ASSERT_FALSE(full);
  EXPECT_EQ(full.error().code(), Errc::no_space) << full.error().message();
  const Status all = cluster_->run(2, cluster_->kddm(2).sync(set, cluster_->soon()));
  ASSERT_FALSE(all);
  EXPECT_EQ(all.error().code(), Errc::no_space);
  const Status flushed =
      cluster_->run(0, cluster_->kddm(0).flush(set, ObjectId{0}, cluster_->within()));
  EXPECT_TRUE(flushed || flushed.error().code() == Errc::no_space);
  for (std::uint64_t i = 0; i < made; ++i) {
    const auto value = get(i % kNodes, set, i);
    ASSERT_TRUE(value) << i << ": " << value.error().message();
    EXPECT_EQ(*value, 1000 + i);
  }
  // The other sets go on.
  EXPECT_TRUE(cluster_->run(0, cluster_->kddm(0).destroy(set, cluster_->soon())));
  SetOptions other;
  other.object_bytes = kBytes;
  EXPECT_TRUE(write(2, *create(other), 1, 1));
}

TEST_P(BackingTest, AFirstTouchThatFailsSaysWhyAndTheNextOneMaySucceed) {
  begin();
  const SetId set = make_shelf_set();
  shelf_.fails = Error(Errc::corrupt, "a torn page");
  for (std::uint32_t node = 0; node < kNodes; ++node) {
    for (std::uint64_t object = 0; object < 6; ++object) {
      const auto failed = get(node, set, object);
      ASSERT_FALSE(failed);
      EXPECT_EQ(failed.error().code(), Errc::corrupt) << failed.error().message();
    }
  }
  shelf_.fails = {};
  for (std::uint64_t object = 0; object < 6; ++object) EXPECT_EQ(*get(2, set, object), 0u);
}

TEST_P(BackingTest, ALinkerMayHaveItsOwnDefaultOwner) {
  begin();
  shelf_.prefers = NodeId{2};
  SetOptions options = options_of("shelf");
  options.policy = HomePolicy::linker;
  const SetId set = *create(options);
  for (std::uint64_t object = 0; object < 10; ++object) ASSERT_TRUE(write(0, set, object, 1));
  cluster_->settle();
  std::size_t homes = 0;
  for (const ObjectState& state : cluster_->kddm(2).dump()) {
    if (state.set == set && state.home.state == HomeState::idle) ++homes;
  }
  EXPECT_EQ(homes, 10u);
}

TEST_P(BackingTest, WithoutTheFilesNodeWhatIsInMemoryGoesOn) {
  begin();
  const SetId set = make_file_set(path(), NodeId{0});
  ASSERT_TRUE(write(1, set, 1, 42));
  ASSERT_EQ(*get(2, set, 1), 42u);
  cluster_->settle();
  cluster_->kill(0);
  cluster_->enter({NodeId{1}, NodeId{2}});
  EXPECT_EQ(*get(2, set, 1), 42u);
  EXPECT_TRUE(write(2, set, 1, 43));
  const auto unread = get(1, set, 7);
  ASSERT_FALSE(unread);
  EXPECT_EQ(unread.error().code(), Errc::unreachable) << unread.error().message();
  const Status unwritten = sync(1, set, 1);
  ASSERT_FALSE(unwritten);
  EXPECT_EQ(unwritten.error().code(), Errc::unreachable);
}

TEST_P(BackingTest, ASetThatCanNotBeIsRefusedAtItsCreation) {
  begin();
  EXPECT_EQ(create(options_of("file")).error().code(), Errc::invalid_argument) << "no path";
  SetOptions plain;
  plain.object_bytes = 8;
  const SetId set = *create(plain);
  const Status sync = cluster_->run(0, cluster_->kddm(0).sync(set, cluster_->soon()));
  EXPECT_EQ(sync.error().code(), Errc::not_supported);
}

TEST_P(BackingTest, SyncOfASetEndsByItsDeadlineAndGoesOnAtTheNext) {
  begin();
  const SetId set = make_shelf_set();
  constexpr std::uint64_t kObjects = 600;  // Three times what the homes write at a time.
  for (std::uint64_t i = 0; i < kObjects; ++i) ASSERT_TRUE(write(i % kNodes, set, i, i + 1));
  shelf_.takes = 200ms;
  const TimePoint before = cluster_->world().now();
  const Status late =
      cluster_->run(1, cluster_->kddm(1).sync(set, Deadline(cluster_->world().now() + 250ms)));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error(), Errc::timed_out) << late.error().message();
  EXPECT_LT(cluster_->world().now() - before, 300ms);
  cluster_->settle();
  const unsigned some = shelf_.written;
  EXPECT_GT(some, 0u);
  EXPECT_LT(some, kObjects) << "the homes do not heed the deadline";
  const Status all = cluster_->run(1, cluster_->kddm(1).sync(set, cluster_->soon()));
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_EQ(shelf_.written, kObjects) << "nothing is written twice";
}

// Goal    a set is not written back by one wait for the disk after the other.
TEST_P(BackingTest, WriteBacksOfASetOverlap) {
  begin();
  const SetId set = make_shelf_set();
  for (std::uint64_t i = 0; i < 60; ++i) ASSERT_TRUE(write(0, set, i, i + 1));
  shelf_.takes = 100ms;
  const TimePoint before = cluster_->world().now();
  const Status all = cluster_->run(1, cluster_->kddm(1).sync(set, cluster_->soon()));
  ASSERT_TRUE(all) << all.error().message();
  EXPECT_EQ(shelf_.written, 60u);
  EXPECT_LT(cluster_->world().now() - before, 500ms);
}

TEST_P(BackingTest, SyncOfASetThatIsNotThereOrGoesSaysSo) {
  begin();
  const auto sync_all = [&](SetId set) {
    return cluster_->run(1, cluster_->kddm(1).sync(set, cluster_->soon()));
  };
  EXPECT_EQ(sync_all(SetId{123456}).error(), Errc::not_found);
  const SetId set = make_shelf_set();
  for (std::uint64_t i = 0; i < 600; ++i) ASSERT_TRUE(write(0, set, i, 1));
  shelf_.takes = 100ms;
  std::optional<Status> under_way;
  cluster_->start(1, cluster_->kddm(1).sync(set, cluster_->soon()), under_way);
  cluster_->world().run_for(150ms);
  ASSERT_FALSE(under_way);
  ASSERT_TRUE(cluster_->run(2, cluster_->kddm(2).destroy(set, cluster_->soon())));
  cluster_->settle();
  ASSERT_TRUE(under_way);
  EXPECT_EQ(under_way->error(), Errc::not_found) << under_way->error().message();
  EXPECT_EQ(sync_all(set).error(), Errc::not_found);
}

INSTANTIATE_TEST_SUITE_P(Copies, BackingTest, ::testing::Bool(),
                         [](const auto& where) { return where.param ? "InAStore" : "OnTheHeap"; });

}  // namespace
}  // namespace krg::kddm

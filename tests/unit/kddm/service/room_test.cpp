// Nodes with little room: what they give up, what they keep, and what they say when they are full.
#include <cstring>

#include "kddm_cluster.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kBytes = 4096;
constexpr std::uint64_t kLimit = 40 * kBytes;

Co<Status> put(Kddm& kddm, SetId set, ObjectId object, std::uint64_t value, OpOptions options) {
  KRG_CO_TRY_ASSIGN(Lease lease, co_await kddm.grab(set, object, options));
  std::memcpy(lease.writable().data(), &value, sizeof value);
  co_return Status();
}

Co<Result<std::uint64_t>> read(Kddm& kddm, SetId set, ObjectId object, OpOptions options) {
  KRG_CO_TRY_ASSIGN(const Lease lease, co_await kddm.get(set, object, options));
  std::uint64_t value = 0;
  std::memcpy(&value, lease.bytes().data(), sizeof value);
  co_return value;
}

class RoomTest : public ::testing::TestWithParam<bool> {
 protected:
  void begin(std::vector<std::uint64_t> limits) {
    const auto nodes = static_cast<std::uint32_t>(limits.size());
    cluster_.emplace(nodes, GetParam(), 1, std::move(limits));
  }
  SetId make_set(std::uint8_t copies = 1) {
    SetOptions options;
    options.object_bytes = kBytes;
    options.copies = copies;
    const auto made = cluster_->run(0, cluster_->kddm(0).create(options, cluster_->soon()));
    KRG_ASSERT(made);
    return *made;
  }
  Status write(std::uint32_t node, SetId set, std::uint64_t object, std::uint64_t value) {
    return cluster_->run(
        node, put(cluster_->kddm(node), set, ObjectId{object}, value, cluster_->within()));
  }
  Result<std::uint64_t> get(std::uint32_t node, SetId set, std::uint64_t object) {
    return cluster_->run(node,
                         read(cluster_->kddm(node), set, ObjectId{object}, cluster_->within()));
  }
  std::size_t held(std::uint32_t node, SetId set) {
    std::size_t count = 0;
    for (const ObjectState& state : cluster_->kddm(node).dump()) {
      if (state.set == set && state.holder.copy >= Copy::read) ++count;
    }
    return count;
  }

  std::optional<KddmCluster> cluster_;
};

TEST_P(RoomTest, CopiesThatOthersHaveTooAreGivenUp) {
  begin({0, kLimit});
  const SetId set = make_set();
  constexpr std::uint64_t kObjects = 200;
  for (std::uint64_t i = 0; i < kObjects; ++i) ASSERT_TRUE(write(0, set, i, i));
  for (std::uint64_t i = 0; i < kObjects; ++i) {
    const auto value = get(1, set, i);
    ASSERT_TRUE(value) << i << ": " << value.error().message();
    EXPECT_EQ(*value, i);
    EXPECT_LE(cluster_->kddm(1).used_bytes(), kLimit);
  }
  EXPECT_GE(held(1, set), 25u) << "no more is given up than is needed";
  EXPECT_EQ(held(0, set), kObjects);
  EXPECT_TRUE(cluster_->kddm(1).find(set, ObjectId{kObjects - 1})) << "the last one used";
}

TEST_P(RoomTest, WhatIsInUseStays) {
  begin({0, kLimit});
  const SetId set = make_set();
  for (std::uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(write(0, set, i, i));
  std::vector<Lease> leases;
  for (std::uint64_t i = 0; i < 10; ++i) {
    auto lease = cluster_->run(1, cluster_->kddm(1).get(set, ObjectId{i}, cluster_->within()));
    ASSERT_TRUE(lease);
    leases.push_back(std::move(*lease));
  }
  for (std::uint64_t i = 10; i < 100; ++i) ASSERT_TRUE(get(1, set, i));
  for (std::uint64_t i = 0; i < 10; ++i) EXPECT_TRUE(cluster_->kddm(1).find(set, ObjectId{i}));
}

TEST_P(RoomTest, ALastCopyGoesToANodeWithRoom) {
  begin({kLimit, kLimit, 0});
  const SetId set = make_set();
  constexpr std::uint64_t kObjects = 200;
  for (std::uint64_t i = 0; i < kObjects; ++i) {
    const Status written = write(0, set, i, 1000 + i);
    ASSERT_TRUE(written) << i << ": " << written.error().message();
  }
  cluster_->settle();
  EXPECT_LE(cluster_->kddm(0).used_bytes(), kLimit);
  EXPECT_LE(cluster_->kddm(1).used_bytes(), kLimit);
  EXPECT_GE(held(2, set), kObjects - 80);
  for (std::uint64_t i = 0; i < kObjects; ++i) EXPECT_EQ(*get(i % 3, set, i), 1000 + i);
}

TEST_P(RoomTest, AFullClusterSaysSoAndLosesNothing) {
  begin({kLimit, kLimit, kLimit});
  const SetId set = make_set();
  std::uint64_t made = 0;
  Status refused;
  for (; made < 200; ++made) {
    refused = write(made % 3, set, made, 1000 + made);
    if (!refused) break;
  }
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::no_space) << refused.error().message();
  EXPECT_GE(made, 80u) << "of 120 that would fit without heads and marks";
  for (std::uint64_t i = 0; i < made; ++i) {
    const auto value = get((i + 1) % 3, set, i);
    ASSERT_TRUE(value) << i << ": " << value.error().message();
    EXPECT_EQ(*value, 1000 + i);
  }
  // What exists can still be written, on every node.
  for (std::uint64_t i = 0; i < made; ++i) ASSERT_TRUE(write(i % 3, set, i, 2000 + i)) << i;
  // And what is removed makes room again.
  for (std::uint64_t i = 0; i < 30; ++i) {
    ASSERT_TRUE(cluster_->run(0, cluster_->kddm(0).remove(set, ObjectId{i}, cluster_->within())));
  }
  cluster_->settle();
  for (std::uint64_t i = 0; i < 10; ++i) {
    const Status again = write(i % 3, set, 500 + i, i);
    EXPECT_TRUE(again) << i << ": " << again.error().message();
  }
  for (std::uint64_t i = 30; i < made; ++i) EXPECT_EQ(*get(i % 3, set, i), 2000 + i);
}

TEST_P(RoomTest, CopiesThatTheSetWantsAreKept) {
  begin({0, kLimit, 0});
  const SetId set = make_set(2);
  for (std::uint64_t i = 0; i < 100; ++i) {
    ASSERT_TRUE(write(0, set, i, i));
    ASSERT_TRUE(cluster_->run(0, cluster_->kddm(0).sync(set, ObjectId{i}, cluster_->within())));
  }
  for (std::uint64_t i = 0; i < 100; ++i) ASSERT_TRUE(get(1, set, i));
  cluster_->settle();
  EXPECT_LE(cluster_->kddm(1).used_bytes(), kLimit);
  cluster_->kill(0);
  cluster_->enter({NodeId{1}, NodeId{2}});
  for (std::uint64_t i = 0; i < 100; ++i) {
    const auto value = get(2, set, i);
    ASSERT_TRUE(value) << i << ": " << value.error().message();
    EXPECT_EQ(*value, i);
  }
}

// Goal    what was synced with two copies survives its writer, though the only other node was full.
// Method  all that node 1 has is in use, so it can give nothing up for what is pushed to it.
TEST_P(RoomTest, AFullNodeTakesTheCopiesThatTheSetWants) {
  begin({0, kLimit, 0});
  cluster_->kill(2);
  cluster_->enter({NodeId{0}, NodeId{1}});
  const SetId own = make_set();
  std::vector<Lease> used;
  Status full;
  while (full && used.size() < 200) {
    const ObjectId object{used.size()};
    auto lease = cluster_->run(1, cluster_->kddm(1).grab(own, object, cluster_->within()));
    if (lease) used.push_back(std::move(*lease));
    if (!lease) full = lease.error();
  }
  ASSERT_FALSE(full);
  ASSERT_EQ(full.error().code(), Errc::no_space) << full.error().message();
  const SetId set = make_set(2);
  for (std::uint64_t i = 0; i < 20; ++i) {
    ASSERT_TRUE(write(0, set, i, 100 + i));
    const Status synced =
        cluster_->run(0, cluster_->kddm(0).sync(set, ObjectId{i}, cluster_->within()));
    ASSERT_TRUE(synced) << i << ": " << synced.error().message();
  }
  cluster_->settle();
  cluster_->kill(0);
  cluster_->enter({NodeId{1}});
  cluster_->settle();
  for (std::uint64_t i = 0; i < 20; ++i) {
    const auto value = get(1, set, i);
    ASSERT_TRUE(value) << i << ": " << value.error().message();
    EXPECT_EQ(*value, 100 + i);
  }
}

TEST_P(RoomTest, TheNodeThatMakesTheObjectMayBeTheFullOne) {
  begin({0, kLimit});
  SetOptions options;
  options.object_bytes = 2 * kLimit;
  options.policy = HomePolicy::fixed;
  options.home = NodeId{1};
  options.flags = static_cast<std::uint32_t>(SetFlag::touch_at_home);
  const auto set = cluster_->run(0, cluster_->kddm(0).create(options, cluster_->soon()));
  ASSERT_TRUE(set);
  const auto lease = cluster_->run(0, cluster_->kddm(0).get(*set, ObjectId{1}, cluster_->within()));
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().code(), Errc::no_space) << lease.error().message();
}

TEST_P(RoomTest, AnObjectThatGrowsIsRefusedToo) {
  begin({kLimit});
  SetOptions options;
  options.object_bytes = 4 * kLimit;
  options.variable_size = true;
  const auto set = cluster_->run(0, cluster_->kddm(0).create(options, cluster_->soon()));
  ASSERT_TRUE(set);
  auto lease = cluster_->run(0, cluster_->kddm(0).grab(*set, ObjectId{1}, cluster_->within()));
  ASSERT_TRUE(lease);
  ASSERT_TRUE(lease->resize(100));
  lease->writable()[99] = std::byte{7};
  const Status refused = lease->resize(2 * kLimit);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::no_space);
  ASSERT_EQ(lease->bytes().size(), 100u);
  EXPECT_EQ(lease->bytes()[99], std::byte{7});
}

INSTANTIATE_TEST_SUITE_P(Copies, RoomTest, ::testing::Bool(),
                         [](const auto& where) { return where.param ? "InAStore" : "OnTheHeap"; });

}  // namespace
}  // namespace krg::kddm

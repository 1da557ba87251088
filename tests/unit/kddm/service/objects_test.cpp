// Objects of two and three nodes, as a user of Kddm sees them.
#include <cstring>

#include "kddm_cluster.h"
#include "krg/testing/matchers.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

SetOptions of_size(std::uint64_t bytes, std::uint8_t copies = 1) {
  SetOptions options;
  options.object_bytes = bytes;
  options.copies = copies;
  return options;
}

std::uint64_t value_of(const Lease& lease) {
  std::uint64_t value = 0;
  std::memcpy(&value, lease.bytes().data(), sizeof value);
  return value;
}

Co<Status> put(Kddm& kddm, SetId set, ObjectId object, std::uint64_t value, OpOptions options) {
  KRG_CO_TRY_ASSIGN(Lease lease, co_await kddm.grab(set, object, options));
  std::memcpy(lease.writable().data(), &value, sizeof value);
  co_return Status();
}

Co<Result<std::uint64_t>> read(Kddm& kddm, SetId set, ObjectId object, OpOptions options) {
  KRG_CO_TRY_ASSIGN(const Lease lease, co_await kddm.get(set, object, options));
  co_return value_of(lease);
}

// With copies on the heap, and in a store for tasks.
class Objects : public ::testing::TestWithParam<bool> {
 protected:
  SetId make_set(const SetOptions& options, std::uint32_t node = 0) {
    auto made = cluster_.run(node, cluster_.kddm(node).create(options, cluster_.soon()));
    KRG_ASSERT(made);
    return *made;
  }
  Status write(std::uint32_t node, SetId set, std::uint64_t object, std::uint64_t value) {
    return cluster_.run(node,
                        put(cluster_.kddm(node), set, ObjectId{object}, value, cluster_.within()));
  }
  Result<std::uint64_t> get(std::uint32_t node, SetId set, std::uint64_t object) {
    return cluster_.run(node, read(cluster_.kddm(node), set, ObjectId{object}, cluster_.within()));
  }

  KddmCluster cluster_{3, GetParam()};
};

TEST_P(Objects, WhatOneNodeWritesAllRead) {
  const SetId set = make_set(of_size(8));
  for (std::uint64_t object = 0; object < 20; ++object) {
    ASSERT_TRUE(write(object % 3, set, object, 100 + object));
  }
  for (std::uint32_t node = 0; node < 3; ++node) {
    for (std::uint64_t object = 0; object < 20; ++object) {
      const auto value = get(node, set, object);
      ASSERT_TRUE(value) << value.error().message();
      EXPECT_EQ(*value, 100 + object);
    }
  }
  // The copies that were read go when somebody writes.
  ASSERT_TRUE(write(1, set, 7, 1));
  EXPECT_EQ(*get(0, set, 7), 1u);
  EXPECT_EQ(*get(2, set, 7), 1u);
}

TEST_P(Objects, TheFirstTouchGivesZeros) {
  const SetId set = make_set(of_size(5000));
  const auto lease = cluster_.run(2, cluster_.kddm(2).get(set, ObjectId{9}, cluster_.within()));
  ASSERT_TRUE(lease) << lease.error().message();
  ASSERT_EQ(lease->bytes().size(), 5000u);
  for (const std::byte b : lease->bytes()) ASSERT_EQ(b, std::byte{0});
}

TEST_P(Objects, LargeObjectsTravelWhole) {
  const SetId set = make_set(of_size(300'000));
  {
    auto lease = cluster_.run(0, cluster_.kddm(0).grab(set, ObjectId{1}, cluster_.within()));
    ASSERT_TRUE(lease);
    for (std::size_t i = 0; i < lease->writable().size(); ++i) {
      lease->writable()[i] = static_cast<std::byte>(i * 7);
    }
  }
  const auto lease = cluster_.run(1, cluster_.kddm(1).get(set, ObjectId{1}, cluster_.within()));
  ASSERT_TRUE(lease) << lease.error().message();
  ASSERT_EQ(lease->bytes().size(), 300'000u);
  for (std::size_t i = 0; i < lease->bytes().size(); ++i) {
    ASSERT_EQ(lease->bytes()[i], static_cast<std::byte>(i * 7)) << i;
  }
}

TEST_P(Objects, VariableOnesKeepTheSizeTheyWereGiven) {
  SetOptions options = of_size(10'000);
  options.variable_size = true;
  const SetId set = make_set(options);
  {
    auto lease = cluster_.run(0, cluster_.kddm(0).grab(set, ObjectId{1}, cluster_.within()));
    ASSERT_TRUE(lease);
    EXPECT_EQ(lease->bytes().size(), 0u);
    ASSERT_TRUE(lease->resize(3));
    std::memcpy(lease->writable().data(), "abc", 3);
    EXPECT_FALSE(lease->resize(10'001));
  }
  auto lease = cluster_.run(2, cluster_.kddm(2).grab(set, ObjectId{1}, cluster_.within()));
  ASSERT_TRUE(lease);
  ASSERT_EQ(lease->bytes().size(), 3u);
  EXPECT_EQ(std::memcmp(lease->bytes().data(), "abc", 3), 0);
}

TEST_P(Objects, ALockOfNoBytesExcludes) {
  const SetId set = make_set(of_size(0));
  auto held = cluster_.run(0, cluster_.kddm(0).grab(set, ObjectId{1}, cluster_.within()));
  ASSERT_TRUE(held);
  OpOptions attempt = cluster_.within();
  attempt.try_only = true;
  const auto refused = cluster_.run(1, cluster_.kddm(1).grab(set, ObjectId{1}, attempt));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::would_block);
  held->put();
  cluster_.settle();
  EXPECT_TRUE(cluster_.run(1, cluster_.kddm(1).grab(set, ObjectId{1}, attempt)));
}

TEST_P(Objects, WhatIsRemovedIsAbsentUntilTouchedAgain) {
  const SetId set = make_set(of_size(8));
  ASSERT_TRUE(write(0, set, 1, 42));
  ASSERT_EQ(*get(1, set, 1), 42u);
  ASSERT_TRUE(cluster_.run(2, cluster_.kddm(2).remove(set, ObjectId{1}, cluster_.within())));
  OpOptions look = cluster_.within();
  look.no_touch = true;
  const auto gone = cluster_.run(0, cluster_.kddm(0).get(set, ObjectId{1}, look));
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().code(), Errc::not_found);
  EXPECT_EQ(*get(0, set, 1), 0u);
}

TEST_P(Objects, AnOpThatWaitsEndsByItsDeadline) {
  const SetId set = make_set(of_size(8));
  auto held = cluster_.run(0, cluster_.kddm(0).grab(set, ObjectId{1}, cluster_.within()));
  ASSERT_TRUE(held);
  const OpOptions brief{Deadline(cluster_.world().now() + 100ms)};
  const auto late = cluster_.run(1, cluster_.kddm(1).get(set, ObjectId{1}, brief));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code(), Errc::timed_out);
  held->put();
  EXPECT_TRUE(get(1, set, 1));
}

TEST_P(Objects, FlushBringsTheOnlyCopyElsewhere) {
  const SetId set = make_set(of_size(8));
  ASSERT_TRUE(write(0, set, 1, 42));
  ASSERT_TRUE(
      cluster_.run(0, cluster_.kddm(0).flush(set, ObjectId{1}, cluster_.within(), NodeId{2})));
  EXPECT_FALSE(cluster_.kddm(0).find(set, ObjectId{1}));
  EXPECT_TRUE(cluster_.kddm(2).find(set, ObjectId{1}));
  EXPECT_EQ(*get(1, set, 1), 42u);
}

TEST_P(Objects, SyncedDataSurvivesItsWriter) {
  const SetId set = make_set(of_size(8, 2), 1);
  for (std::uint64_t object = 0; object < 30; ++object) {
    ASSERT_TRUE(write(0, set, object, 500 + object));
    ASSERT_TRUE(cluster_.run(0, cluster_.kddm(0).sync(set, ObjectId{object}, cluster_.within())));
  }
  cluster_.kill(0);
  cluster_.enter({NodeId{1}, NodeId{2}});
  for (std::uint64_t object = 0; object < 30; ++object) {
    EXPECT_EQ(*get(2, set, object), 500 + object);
  }
}

TEST_P(Objects, WhatOnlyTheDeadHadIsLostAndNothingElse) {
  const SetId set = make_set(of_size(8), 1);
  for (std::uint64_t object = 0; object < 30; ++object) {
    ASSERT_TRUE(write(object % 3, set, object, 500 + object));
  }
  cluster_.settle();
  cluster_.kill(0);
  cluster_.enter({NodeId{1}, NodeId{2}});
  for (std::uint64_t object = 0; object < 30; ++object) {
    const auto value = get(2, set, object);
    if (object % 3 == 0) {
      ASSERT_FALSE(value) << object;
      EXPECT_EQ(value.error().code(), Errc::lost);
    } else {
      ASSERT_TRUE(value) << object << ": " << value.error().message();
      EXPECT_EQ(*value, 500 + object);
    }
  }
  ASSERT_TRUE(cluster_.run(1, cluster_.kddm(1).remove(set, ObjectId{0}, cluster_.within())));
  EXPECT_EQ(*get(1, set, 0), 0u);
}

TEST_P(Objects, ARestartedNodeTakesPart) {
  const SetId set = make_set(of_size(8, 2), 1);
  for (std::uint64_t object = 0; object < 30; ++object) ASSERT_TRUE(write(1, set, object, object));
  cluster_.kill(0);
  cluster_.enter({NodeId{1}, NodeId{2}});
  cluster_.settle();
  cluster_.restart(0);
  cluster_.enter(cluster::NodeSet::first(3));
  for (std::uint64_t object = 0; object < 30; ++object) EXPECT_EQ(*get(0, set, object), object);
  for (std::uint64_t object = 0; object < 30; ++object) {
    ASSERT_TRUE(write(0, set, object, object + 1));
    EXPECT_EQ(*get(2, set, object), object + 1);
  }
}

TEST_P(Objects, ANodeThatLeavesGivesEverythingToTheOthers) {
  const SetId set = make_set(of_size(8), 1);
  for (std::uint64_t object = 0; object < 30; ++object) ASSERT_TRUE(write(0, set, object, object));
  const cluster::View before{Epoch{1}, NodeId{0}, {}};
  const cluster::View after{Epoch{2}, NodeId{1}, {}};
  const cluster::ViewChange change{before, after, {}, {NodeId{0}}, {}};
  ASSERT_TRUE(cluster_.run(0, cluster_.kddm(0).prepare(change, cluster_.soon())));
  const auto refused = get(0, set, 1);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::shutting_down);
  cluster_.kill(0);
  cluster_.enter({NodeId{1}, NodeId{2}});
  for (std::uint64_t object = 0; object < 30; ++object) EXPECT_EQ(*get(1, set, object), object);
}

// Goal    a leave does not take a round trip for each object, one after the other.
TEST_P(Objects, ANodeThatLeavesGivesManyAwayAtOnce) {
  const SetId set = make_set(of_size(4096), 1);
  constexpr std::uint64_t kObjects = 400;
  for (std::uint64_t object = 0; object < kObjects; ++object) {
    ASSERT_TRUE(write(0, set, object, object));
  }
  const auto now = [this] { return cluster_.world().now(); };
  const TimePoint begin = now();
  for (std::uint64_t object = 0; object < 40; ++object) {
    ASSERT_OK(cluster_.run(0, cluster_.kddm(0).flush(set, ObjectId{object}, cluster_.within())));
  }
  const Duration forty = now() - begin;
  const cluster::View before{Epoch{1}, NodeId{0}, {}};
  const cluster::View after{Epoch{2}, NodeId{1}, {}};
  const cluster::ViewChange change{before, after, {}, {NodeId{0}}, {}};
  const TimePoint leave = now();
  ASSERT_OK(cluster_.run(0, cluster_.kddm(0).prepare(change, cluster_.soon())));
  EXPECT_LT(now() - leave, forty * 3) << "one by one it would be nine times as long";
  cluster_.kill(0);
  cluster_.enter({NodeId{1}, NodeId{2}});
  for (std::uint64_t object = 0; object < kObjects; ++object)
    EXPECT_EQ(*get(1, set, object), object);
}

// Goal    what is first touched at a home that leaves is not lost with it.
// Method  it has given everything away; then another node asks for an object that nobody has made.
TEST_P(Objects, AHomeThatHasGivenEverythingAwayMakesNothingAnew) {
  SetOptions options = of_size(8);
  options.policy = HomePolicy::fixed;
  options.home = NodeId{0};
  options.nodes = cluster::NodeSet::first(3);
  options.flags = static_cast<std::uint32_t>(SetFlag::touch_at_home);
  const SetId set = make_set(options, 1);
  ASSERT_EQ(*get(1, set, 0), 0u);
  const cluster::View before{Epoch{1}, NodeId{0}, {}};
  const cluster::View after{Epoch{2}, NodeId{1}, {}};
  const cluster::ViewChange change{before, after, {}, {NodeId{0}}, {}};
  Kddm& leaver = cluster_.kddm(0);
  Kddm& asker = cluster_.kddm(1);
  ASSERT_TRUE(cluster_.run(0, leaver.prepare(change, cluster_.soon())));
  std::optional<Result<std::uint64_t>> first;
  cluster_.start(1, read(asker, set, ObjectId{1}, cluster_.within()), first);
  cluster_.settle();
  EXPECT_FALSE(first.has_value());
  leaver.abort(change);
  cluster_.settle();
  ASSERT_TRUE(first.has_value());
  EXPECT_EQ(**first, 0u) << "it stays";

  ASSERT_TRUE(cluster_.run(0, leaver.prepare(change, cluster_.soon())));
  std::optional<Result<std::uint64_t>> second;
  cluster_.start(1, read(asker, set, ObjectId{2}, cluster_.within()), second);
  cluster_.settle();
  for (const ObjectState& part : leaver.dump()) {
    if (part.set != set) continue;
    EXPECT_EQ(part.holder.copy, Copy::none) << part.object.value;
  }
  cluster_.kill(0);
  cluster_.enter({NodeId{1}, NodeId{2}});
  cluster_.settle();
  ASSERT_TRUE(second.has_value());
  ASSERT_TRUE(*second) << second->error().message();
  EXPECT_EQ(**second, 0u);
}

// Goal    a node that could not leave serves again.
// Method  a lease of its own outlasts the time that it has.
TEST_P(Objects, WhoCouldNotGiveEverythingAwayServesOn) {
  const SetId set = make_set(of_size(8), 1);
  ASSERT_TRUE(write(0, set, 1, 5));
  std::optional<Result<Lease>> held;
  cluster_.start(0, cluster_.kddm(0).get(set, ObjectId{1}, cluster_.within()), held);
  cluster_.settle();
  ASSERT_TRUE(held && *held);
  const cluster::View before{Epoch{1}, NodeId{0}, {}};
  const cluster::View after{Epoch{2}, NodeId{1}, {}};
  const cluster::ViewChange change{before, after, {}, {NodeId{0}}, {}};
  const Deadline short_time(cluster_.world().now() + 50ms);
  EXPECT_FALSE(cluster_.run(0, cluster_.kddm(0).prepare(change, short_time)));
  (*held)->put();
  EXPECT_EQ(*get(0, set, 1), 5u);
}

INSTANTIATE_TEST_SUITE_P(Copies, Objects, ::testing::Bool(),
                         [](const auto& where) { return where.param ? "InAStore" : "OnTheHeap"; });

}  // namespace
}  // namespace krg::kddm

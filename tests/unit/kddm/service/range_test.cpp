// Ranges of objects, as a user of Kddm sees them.
#include <cstring>

#include "kddm_cluster.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

constexpr std::uint64_t kCount = 600;  // More than are asked for ahead.

void write_to(Lease& lease, std::uint64_t value) {
  std::memcpy(lease.writable().data(), &value, sizeof value);
}
std::uint64_t value_of(const Lease& lease) {
  std::uint64_t value = 0;
  std::memcpy(&value, lease.bytes().data(), sizeof value);
  return value;
}

// Gives each object its number plus `base`.
Co<Status> fill(Range range, std::uint64_t base) {
  while (!range.done()) {
    const std::uint64_t value = base + range.object().value;
    KRG_CO_TRY_ASSIGN(Lease lease, co_await range.next());
    write_to(lease, value);
  }
  co_return Status();
}

// What each next() gives: a value, or an error's code, negative.
Co<std::vector<std::int64_t>> values(Range range) {
  std::vector<std::int64_t> all;
  while (!range.done()) {
    const ObjectId object = range.object();
    const auto lease = co_await range.next();
    if (!lease) {
      all.push_back(-static_cast<std::int64_t>(lease.error().code()));
      continue;
    }
    EXPECT_EQ(lease->object(), object);
    all.push_back(static_cast<std::int64_t>(value_of(*lease)));
  }
  co_return all;
}

Co<Result<std::vector<Lease>>> all_of(Range range) { co_return co_await range.rest(); }

Co<std::optional<Result<Lease>>> first_of(Range range) {
  std::optional<Result<Lease>> lease;
  lease.emplace(co_await range.next());
  co_return lease;
}

// Takes all of a range for itself, `times` over, and adds one to each object.
Co<Status> count_up(Kddm& kddm, SetId set, std::uint64_t count, int times, Deadline deadline) {
  for (int i = 0; i < times; ++i) {
    KRG_CO_TRY_ASSIGN(std::vector<Lease> leases,
                      co_await all_of(kddm.grab_range(set, ObjectId{0}, count, {deadline})));
    for (Lease& lease : leases) write_to(lease, value_of(lease) + 1);
  }
  co_return Status();
}

std::int64_t as(Errc code) { return -static_cast<std::int64_t>(code); }

// With copies on the heap, and in a store for tasks.
class Ranges : public ::testing::TestWithParam<bool> {
 protected:
  SetId make_set(std::uint64_t bytes, std::uint64_t count = 0) {
    SetOptions options;
    options.object_bytes = bytes;
    if (count != 0) options.object_count = count;
    auto made = cluster_.run(0, kddm(0).create(options, cluster_.soon()));
    KRG_ASSERT(made);
    return *made;
  }
  Kddm& kddm(std::uint32_t node) { return cluster_.kddm(node); }
  Range get(std::uint32_t node, SetId set, std::uint64_t first, std::uint64_t count) {
    return kddm(node).get_range(set, ObjectId{first}, count, cluster_.within());
  }
  Range grab(std::uint32_t node, SetId set, std::uint64_t first, std::uint64_t count) {
    return kddm(node).grab_range(set, ObjectId{first}, count, cluster_.within());
  }
  bool expect_values(std::uint32_t node, SetId set, std::uint64_t count, std::int64_t base) {
    const auto found = cluster_.run(node, values(get(node, set, 0, count)));
    if (found.size() != count) return false;
    for (std::uint64_t i = 0; i < count; ++i) {
      if (found[i] != base + static_cast<std::int64_t>(i)) return false;
    }
    return true;
  }

  KddmCluster cluster_{3, GetParam()};
};

TEST_P(Ranges, WhatOneNodeWritesOthersReadInOrder) {
  const SetId set = make_set(4096);
  ASSERT_TRUE(cluster_.run(0, fill(grab(0, set, 0, kCount), 1000)));
  EXPECT_TRUE(expect_values(1, set, kCount, 1000));
  EXPECT_TRUE(expect_values(2, set, kCount, 1000));
  // Again, of what is here now; and by a writer who takes all of it away.
  EXPECT_TRUE(expect_values(1, set, kCount, 1000));
  ASSERT_TRUE(cluster_.run(2, fill(grab(2, set, 0, kCount), 5000)));
  EXPECT_TRUE(expect_values(1, set, kCount, 5000));
  EXPECT_TRUE(expect_values(0, set, kCount, 5000));
  cluster_.settle();
  for (std::uint32_t node = 0; node < 3; ++node) EXPECT_EQ(kddm(node).pending(), 0u);
}

Co<bool> is_under_way(const std::optional<std::vector<std::int64_t>>& found) {
  co_return !found.has_value();
}

TEST_P(Ranges, OthersHaveTheirTurnsWhileAllOfItIsHere) {
  const SetId set = make_set(64);
  ASSERT_TRUE(cluster_.run(0, fill(grab(0, set, 0, kCount), 0)));
  std::optional<std::vector<std::int64_t>> found;
  cluster_.start(0, values(get(0, set, 0, kCount)), found);
  EXPECT_TRUE(cluster_.run(0, is_under_way(found)));
  cluster_.settle();
  ASSERT_TRUE(found);
  EXPECT_EQ(found->size(), kCount);
}

TEST_P(Ranges, OfAnySizeOfObjects) {
  for (const std::uint64_t bytes : {8u, 1000u, 9000u, 70'000u, 1u << 20}) {
    const std::uint64_t count = bytes > 50'000 ? 12 : 300;
    const SetId set = make_set(bytes);
    ASSERT_TRUE(cluster_.run(1, fill(grab(1, set, 0, count), 7)));
    EXPECT_TRUE(expect_values(0, set, count, 7)) << bytes;
  }
}

TEST_P(Ranges, ErrorsAreOfTheirObjectsAndTheRangeGoesOn) {
  const SetId set = make_set(64, 10);
  auto found = cluster_.run(1, values(get(1, set, 8, 4)));
  EXPECT_EQ(found, (std::vector<std::int64_t>{0, 0, as(Errc::invalid_argument),
                                              as(Errc::invalid_argument)}));
  OpOptions look = cluster_.within();
  look.no_touch = true;
  found = cluster_.run(2, values(kddm(2).get_range(set, ObjectId{6}, 4, look)));
  EXPECT_EQ(found, (std::vector<std::int64_t>{as(Errc::not_found), as(Errc::not_found), 0, 0}));
  // An object that is held elsewhere, for who does not wait.
  auto held = cluster_.run(0, kddm(0).grab(set, ObjectId{1}, cluster_.within()));
  ASSERT_TRUE(held);
  OpOptions attempt = cluster_.within();
  attempt.try_only = true;
  found = cluster_.run(2, values(kddm(2).get_range(set, ObjectId{0}, 3, attempt)));
  EXPECT_EQ(found, (std::vector<std::int64_t>{0, as(Errc::would_block), 0}));
  held->put();
  found = cluster_.run(2, values(get(2, SetId{0x123456}, 0, 2)));
  EXPECT_EQ(found, (std::vector<std::int64_t>{as(Errc::not_found), as(Errc::not_found)}));
  EXPECT_TRUE(cluster_.run(2, values(get(2, set, 3, 0))).empty());
}

TEST_P(Ranges, TheDeadlineIsForAllOfIt) {
  const SetId set = make_set(64);
  auto held = cluster_.run(0, kddm(0).grab(set, ObjectId{5}, cluster_.within()));
  ASSERT_TRUE(held);
  const OpOptions brief{Deadline(cluster_.world().now() + 200ms)};
  const auto found = cluster_.run(1, values(kddm(1).get_range(set, ObjectId{0}, 400, brief)));
  ASSERT_EQ(found.size(), 400u);
  for (std::size_t i = 0; i < 5; ++i) EXPECT_EQ(found[i], 0);
  EXPECT_EQ(found[5], as(Errc::timed_out));
  EXPECT_EQ(found[6], 0) << "it had come before";
  EXPECT_EQ(found[399], as(Errc::timed_out)) << "it was not asked for in time";
  EXPECT_EQ(kddm(1).pending(), 0u);
  held->put();
}

TEST_P(Ranges, WhatComesAheadIsHeldByNobody) {
  const SetId set = make_set(64);
  ASSERT_TRUE(cluster_.run(0, fill(grab(0, set, 0, 100), 0)));
  Range range = grab(1, set, 0, 100);
  std::optional<Result<Lease>> first;
  cluster_.start(1, range.next(), first);
  cluster_.settle();
  ASSERT_TRUE(first && *first);
  // All have come; another node takes one of them, and writes.
  EXPECT_TRUE(kddm(1).find(set, ObjectId{50}));
  ASSERT_TRUE(cluster_.run(2, fill(grab(2, set, 50, 1), 1000)));
  std::optional<Result<std::vector<Lease>>> rest;
  cluster_.start(1, range.rest(), rest);
  cluster_.settle();
  ASSERT_TRUE(rest && *rest);
  ASSERT_EQ((*rest)->size(), 99u);
  EXPECT_EQ(value_of((**rest)[49]), 1050u);
}

TEST_P(Ranges, TwoThatTakeAllOfARangeDoNotBlockEachOther) {
  const SetId set = make_set(64);
  std::optional<Status> a, b, c;
  cluster_.start(0, count_up(kddm(0), set, 40, 5, cluster_.soon()), a);
  cluster_.start(1, count_up(kddm(1), set, 40, 5, cluster_.soon()), b);
  cluster_.start(2, count_up(kddm(2), set, 40, 5, cluster_.soon()), c);
  cluster_.world().run_until([&] { return a && b && c; }, 20s);
  ASSERT_TRUE(a && b && c);
  EXPECT_TRUE(*a && *b && *c);
  const auto found = cluster_.run(0, values(get(0, set, 0, 40)));
  for (const std::int64_t value : found) EXPECT_EQ(value, 15);
}

TEST_P(Ranges, OneThatEndsEarlyLeavesNothing) {
  const SetId set = make_set(4096);
  ASSERT_TRUE(cluster_.run(0, fill(grab(0, set, 0, kCount), 0)));
  {
    const auto first = cluster_.run(1, first_of(get(1, set, 0, kCount)));
    ASSERT_TRUE(first && *first);
    EXPECT_EQ(kddm(1).pending(), 0u);
  }
  cluster_.settle();
  ASSERT_TRUE(cluster_.run(2, fill(grab(2, set, 0, kCount), 1)));
  EXPECT_TRUE(expect_values(1, set, kCount, 1));
}

TEST_P(Ranges, ASetThatIsDestroyedEndsIt) {
  const SetId set = make_set(64);
  auto held = cluster_.run(0, kddm(0).grab(set, ObjectId{1}, cluster_.within()));
  ASSERT_TRUE(held);
  std::optional<std::vector<std::int64_t>> found;
  cluster_.start(1, values(get(1, set, 0, 3)), found);
  cluster_.settle();
  EXPECT_FALSE(found);
  ASSERT_TRUE(cluster_.run(2, kddm(2).destroy(set, cluster_.soon())));
  cluster_.settle();
  ASSERT_TRUE(found);
  EXPECT_EQ(*found, (std::vector<std::int64_t>{0, as(Errc::not_found), as(Errc::not_found)}));
}

TEST_P(Ranges, OutliveANodeAndItsView) {
  SetOptions options;
  options.object_bytes = 4096;
  options.copies = 2;
  const SetId set = *cluster_.run(1, kddm(1).create(options, cluster_.soon()));
  ASSERT_TRUE(cluster_.run(1, fill(grab(1, set, 0, kCount), 3)));
  ASSERT_TRUE(expect_values(2, set, kCount, 3));
  cluster_.settle();
  std::optional<std::vector<std::int64_t>> found;
  cluster_.start(0, values(get(0, set, 0, kCount)), found);
  cluster_.world().run_for(100us);
  cluster_.kill(1);
  cluster_.enter({NodeId{0}, NodeId{2}});
  cluster_.world().run_until([&] { return found.has_value(); }, 20s);
  ASSERT_TRUE(found);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    ASSERT_EQ((*found)[i], static_cast<std::int64_t>(i + 3));
  }
}

TEST_P(Ranges, PrefetchBringsAllAndHoldsNothing) {
  const SetId set = make_set(4096);
  ASSERT_TRUE(cluster_.run(0, fill(grab(0, set, 0, 300), 0)));
  ASSERT_TRUE(cluster_.run(1, kddm(1).prefetch_range(set, ObjectId{0}, 300, cluster_.within())));
  for (std::uint64_t i = 0; i < 300; ++i) EXPECT_TRUE(kddm(1).find(set, ObjectId{i}));
  ASSERT_TRUE(cluster_.run(
      2, kddm(2).prefetch_range(set, ObjectId{0}, 300, cluster_.within(), LeaseKind::write)));
  for (std::uint64_t i = 0; i < 300; ++i) {
    EXPECT_TRUE(kddm(2).find(set, ObjectId{i}));
    EXPECT_FALSE(kddm(1).find(set, ObjectId{i})) << "it may be written elsewhere";
  }
  OpOptions look = cluster_.within();
  look.no_touch = true;
  const Status some = cluster_.run(1, kddm(1).prefetch_range(set, ObjectId{290}, 20, look));
  ASSERT_FALSE(some);
  EXPECT_EQ(some.error().code(), Errc::not_found);
  for (std::uint64_t i = 290; i < 300; ++i) EXPECT_TRUE(kddm(1).find(set, ObjectId{i}));
}

INSTANTIATE_TEST_SUITE_P(Copies, Ranges, ::testing::Bool(),
                         [](const auto& where) { return where.param ? "InAStore" : "OnTheHeap"; });

}  // namespace
}  // namespace krg::kddm

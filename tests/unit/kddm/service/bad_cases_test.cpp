// What users do wrong, and what becomes of it: a clear error, and everybody else goes on.
#include <chrono>
#include <cstring>

#include "kddm_cluster.h"
#include "many_sets.h"

namespace krg::kddm {
namespace {

using namespace std::chrono_literals;

SetOptions of_size(std::uint64_t bytes) {
  SetOptions options;
  options.object_bytes = bytes;
  return options;
}

class BadCases : public ::testing::TestWithParam<bool> {
 protected:
  SetId make_set(const SetOptions& options) {
    return *cluster_.run(0, cluster_.kddm(0).create(options, cluster_.soon()));
  }
  Result<Lease> get(std::uint32_t node, SetId set, std::uint64_t object, OpOptions options) {
    return cluster_.run(node, cluster_.kddm(node).get(set, ObjectId{object}, options));
  }
  Result<Lease> grab(std::uint32_t node, SetId set, std::uint64_t object, OpOptions options) {
    return cluster_.run(node, cluster_.kddm(node).grab(set, ObjectId{object}, options));
  }
  OpOptions briefly() { return {Deadline(cluster_.world().now() + 100ms)}; }
  OpOptions at_once() { return {cluster_.soon(), true}; }

  KddmCluster cluster_{3, GetParam()};
};

TEST_P(BadCases, WhoWaitsInASetThatIsDestroyedIsToldSo) {
  const SetId set = make_set(of_size(8));
  auto held = grab(0, set, 1, cluster_.within());
  ASSERT_TRUE(held);
  std::optional<Result<Lease>> here, there;
  cluster_.start(0, cluster_.kddm(0).grab(set, ObjectId{1}, cluster_.within()), here);
  cluster_.start(1, cluster_.kddm(1).get(set, ObjectId{1}, cluster_.within()), there);
  cluster_.world().run_for(10ms);
  ASSERT_FALSE(here || there);
  ASSERT_TRUE(cluster_.run(2, cluster_.kddm(2).destroy(set, cluster_.soon())));
  cluster_.settle();
  ASSERT_TRUE(here && there);
  EXPECT_EQ(here->error().code(), Errc::not_found);
  EXPECT_EQ(there->error().code(), Errc::not_found);
  held->writable()[0] = std::byte{1};
  held->put();
  EXPECT_EQ(get(0, set, 1, cluster_.within()).error().code(), Errc::not_found);
  EXPECT_TRUE(grab(1, make_set(of_size(8)), 1, cluster_.within()));
}

TEST_P(BadCases, AnObjectLargerThanTheSetAllowsIsRefused) {
  EXPECT_EQ(cluster_
                .run(0, cluster_.kddm(0).create(of_size(SetOptions::kObjectBytesMax + 1),
                                                cluster_.soon()))
                .error()
                .code(),
            Errc::invalid_argument);
  SetOptions options = of_size(100);
  options.variable_size = true;
  auto variable = grab(0, make_set(options), 1, cluster_.within());
  ASSERT_TRUE(variable);
  ASSERT_TRUE(variable->resize(100));
  EXPECT_EQ(variable->resize(101).error().code(), Errc::invalid_argument);
  EXPECT_EQ(variable->bytes().size(), 100u);
  auto fixed = grab(0, make_set(of_size(100)), 1, cluster_.within());
  ASSERT_TRUE(fixed);
  EXPECT_EQ(fixed->resize(99).error().code(), Errc::invalid_argument);
}

TEST_P(BadCases, AnIdOutOfRangeIsRefusedOnEveryNodeAndByEveryCall) {
  SetOptions options = of_size(8);
  options.object_count = 10;
  const SetId set = make_set(options);
  for (std::uint32_t node = 0; node < 3; ++node) {
    Kddm& kddm = cluster_.kddm(node);
    for (const ObjectId object : {ObjectId{10}, ObjectId{~std::uint64_t{0}}}) {
      EXPECT_EQ(get(node, set, object.value, cluster_.within()).error(), Errc::invalid_argument);
      EXPECT_EQ(grab(node, set, object.value, cluster_.within()).error(), Errc::invalid_argument);
      for (const Status& how :
           {cluster_.run(node, kddm.flush(set, object, cluster_.within())),
            cluster_.run(node, kddm.sync(set, object, cluster_.within())),
            cluster_.run(node, kddm.remove(set, object, cluster_.within())),
            cluster_.run(node, kddm.prefetch(set, object, cluster_.within()))}) {
        ASSERT_FALSE(how);
        EXPECT_EQ(how.error(), Errc::invalid_argument);
      }
    }
    EXPECT_TRUE(grab(node, set, 9, cluster_.within()));
  }
}

TEST_P(BadCases, RemovingWhatIsReadWaitsForTheReader) {
  const SetId set = make_set(of_size(8));
  {
    auto lease = grab(0, set, 1, cluster_.within());
    ASSERT_TRUE(lease);
    lease->writable()[0] = std::byte{7};
  }
  auto reader = get(1, set, 1, cluster_.within());
  ASSERT_TRUE(reader);
  std::optional<Status> removed;
  cluster_.start(2, cluster_.kddm(2).remove(set, ObjectId{1}, cluster_.within()), removed);
  cluster_.settle();
  EXPECT_FALSE(removed);
  EXPECT_EQ(reader->bytes()[0], std::byte{7});
  // Nor can the reader itself, before it gives its lease back.
  EXPECT_EQ(cluster_.run(1, cluster_.kddm(1).remove(set, ObjectId{1}, briefly())).error(),
            Errc::timed_out);
  reader->put();
  cluster_.settle();
  ASSERT_TRUE(removed);
  EXPECT_TRUE(*removed) << removed->error().message();
  auto anew = get(1, set, 1, cluster_.within());
  ASSERT_TRUE(anew);
  EXPECT_EQ(anew->bytes()[0], std::byte{0});
}

TEST_P(BadCases, GrabbingTwiceEndsByTheDeadlineOrAtOnce) {
  const SetId set = make_set(of_size(8));
  auto first = grab(0, set, 1, cluster_.within());
  ASSERT_TRUE(first);
  EXPECT_EQ(grab(0, set, 1, briefly()).error(), Errc::timed_out);
  EXPECT_EQ(grab(0, set, 1, at_once()).error(), Errc::would_block);
  EXPECT_EQ(get(0, set, 1, at_once()).error(), Errc::would_block);
  first->writable()[0] = std::byte{5};
  first->put();
  auto second = grab(1, set, 1, cluster_.within());
  ASSERT_TRUE(second) << second.error().message();
  EXPECT_EQ(second->bytes()[0], std::byte{5});
}

TEST_P(BadCases, WhatIsNotHeldIsNotPut) {
  const SetId set = make_set(of_size(8));
  Lease none;
  none.put();
  auto first = get(0, set, 1, cluster_.within());
  auto second = get(0, set, 1, cluster_.within());
  ASSERT_TRUE(first && second);
  first->put();
  first->put();
  EXPECT_EQ(grab(1, set, 1, at_once()).error(), Errc::would_block)
      << "a lease was put that is still held";
  second->put();
  cluster_.settle();
  EXPECT_TRUE(grab(1, set, 1, at_once()));
}

TEST_P(BadCases, AnUnknownNameOrSetIsNotFound) {
  EXPECT_EQ(cluster_.run(1, cluster_.kddm(1).look_up("nobody", cluster_.soon())).error(),
            Errc::not_found);
  EXPECT_EQ(cluster_.run(1, cluster_.kddm(1).unbind("nobody", cluster_.soon())).error(),
            Errc::not_found);
  EXPECT_EQ(get(2, SetId{123456}, 1, cluster_.within()).error(), Errc::not_found);
  EXPECT_EQ(cluster_.run(2, cluster_.kddm(2).destroy(SetId{123456}, cluster_.soon())).error(),
            Errc::not_found);
}

INSTANTIATE_TEST_SUITE_P(Copies, BadCases, ::testing::Bool(),
                         [](const auto& where) { return where.param ? "InAStore" : "OnTheHeap"; });

TEST(ManySets, TwoThousandCanBeMadeAndUsed) {
  const auto made = make_many_sets(2'000);
  ASSERT_TRUE(made) << made.error().message();
  EXPECT_LT(made->bytes, 8'000u);
}

}  // namespace
}  // namespace krg::kddm

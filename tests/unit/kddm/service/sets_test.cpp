// Sets and their names, from several nodes.
#include "kddm_cluster.h"

namespace krg::kddm {
namespace {

class Sets : public ::testing::Test {
 protected:
  Result<SetId> create(std::uint32_t node, const SetOptions& options, SetId wanted = kNoSet) {
    return cluster_.run(node, cluster_.kddm(node).create(options, cluster_.soon(), wanted));
  }

  KddmCluster cluster_{3};
};

TEST_F(Sets, AreKnownByTheirIdOnEveryNode) {
  SetOptions options;
  options.object_bytes = 24;
  options.policy = HomePolicy::fixed;
  options.home = NodeId{2};
  const auto set = create(1, options);
  ASSERT_TRUE(set) << set.error().message();
  EXPECT_EQ(creator_of(*set), NodeId{1});
  for (std::uint32_t node = 0; node < 3; ++node) {
    const auto found = cluster_.run(node, cluster_.kddm(node).options_of(*set, cluster_.soon()));
    ASSERT_TRUE(found) << found.error().message();
    EXPECT_EQ(*found, options);
  }
  const auto none = cluster_.run(0, cluster_.kddm(0).options_of(SetId{77}, cluster_.soon()));
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Errc::not_found);
}

TEST_F(Sets, AChosenIdIsTakenOnce) {
  ASSERT_EQ(*create(0, {}, SetId{100}), SetId{100});
  const auto again = create(1, {}, SetId{100});
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code(), Errc::already_exists);
  EXPECT_EQ(create(1, {}, SetId{kFirstFreeSet}).error().code(), Errc::invalid_argument);
}

TEST_F(Sets, OptionsThatCanNotBeAreRefused) {
  SetOptions options;
  options.linker = "no such linker";
  EXPECT_EQ(create(0, options).error().code(), Errc::invalid_argument);
  options = {};
  options.copies = 0;
  EXPECT_EQ(create(0, options).error().code(), Errc::invalid_argument);
}

TEST_F(Sets, ADestroyedOneIsGoneEverywhere) {
  SetOptions options;
  options.object_bytes = 8;
  const auto set = create(0, options);
  ASSERT_TRUE(set);
  for (std::uint32_t node = 0; node < 3; ++node) {
    ASSERT_TRUE(
        cluster_.run(node, cluster_.kddm(node).grab(*set, ObjectId{node}, cluster_.within())));
  }
  ASSERT_TRUE(cluster_.run(1, cluster_.kddm(1).destroy(*set, cluster_.soon())));
  for (std::uint32_t node = 0; node < 3; ++node) {
    const auto gone =
        cluster_.run(node, cluster_.kddm(node).get(*set, ObjectId{node}, cluster_.within()));
    ASSERT_FALSE(gone);
    EXPECT_EQ(gone.error().code(), Errc::not_found);
    for (const ObjectState& state : cluster_.kddm(node).dump()) EXPECT_NE(state.set, *set);
  }
  EXPECT_EQ(cluster_.run(2, cluster_.kddm(2).destroy(*set, cluster_.soon())).error().code(),
            Errc::not_found);
}

TEST_F(Sets, ALeaseOutlivesItsSet) {
  SetOptions options;
  options.object_bytes = 8;
  const auto set = create(0, options);
  ASSERT_TRUE(set);
  auto lease = cluster_.run(0, cluster_.kddm(0).grab(*set, ObjectId{1}, cluster_.within()));
  ASSERT_TRUE(lease);
  ASSERT_TRUE(cluster_.run(1, cluster_.kddm(1).destroy(*set, cluster_.soon())));
  lease->writable()[7] = std::byte{1};
  lease->put();
}

TEST_F(Sets, HaveNames) {
  const auto set = create(0, {});
  ASSERT_TRUE(set);
  ASSERT_TRUE(cluster_.run(0, cluster_.kddm(0).bind("table", *set, cluster_.soon())));
  EXPECT_EQ(*cluster_.run(2, cluster_.kddm(2).look_up("table", cluster_.soon())), *set);
  EXPECT_EQ(cluster_.run(1, cluster_.kddm(1).bind("table", *set, cluster_.soon())).error().code(),
            Errc::already_exists);
  ASSERT_TRUE(cluster_.run(1, cluster_.kddm(1).unbind("table", cluster_.soon())));
  EXPECT_EQ(cluster_.run(2, cluster_.kddm(2).look_up("table", cluster_.soon())).error().code(),
            Errc::not_found);
  EXPECT_EQ(cluster_.run(0, cluster_.kddm(0).bind("", *set, cluster_.soon())).error().code(),
            Errc::invalid_argument);
}

TEST_F(Sets, AndTheirNamesSurviveTheirMaker) {
  SetOptions options;
  options.object_bytes = 8;
  const auto set = create(0, options);
  ASSERT_TRUE(set);
  ASSERT_TRUE(cluster_.run(0, cluster_.kddm(0).bind("table", *set, cluster_.soon())));
  cluster_.kill(0);
  cluster_.enter({NodeId{1}, NodeId{2}});
  EXPECT_EQ(*cluster_.run(2, cluster_.kddm(2).look_up("table", cluster_.soon())), *set);
  EXPECT_EQ(*cluster_.run(1, cluster_.kddm(1).options_of(*set, cluster_.soon())), options);
}

}  // namespace
}  // namespace krg::kddm

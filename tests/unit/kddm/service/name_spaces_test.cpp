// Name spaces: what is in one is found there alone, and ends with it.
#include "kddm_cluster.h"

namespace krg::kddm {
namespace {

class NameSpacesTest : public ::testing::Test {
 protected:
  Result<NameSpaceId> create(std::uint32_t node, const std::string& name) {
    return cluster_.run(node, cluster_.kddm(node).create_name_space(name, cluster_.soon()));
  }
  Result<NameSpaceId> find(std::uint32_t node, const std::string& name) {
    return cluster_.run(node, cluster_.kddm(node).find_name_space(name, cluster_.soon()));
  }
  Status destroy(std::uint32_t node, NameSpaceId id) {
    return cluster_.run(node, cluster_.kddm(node).destroy_name_space(id, cluster_.soon()));
  }
  Result<SetId> create_set(std::uint32_t node, NameSpaceId in) {
    SetOptions options;
    options.object_bytes = 8;
    options.name_space = in;
    return cluster_.run(node, cluster_.kddm(node).create(options, cluster_.soon()));
  }
  Status bind(std::uint32_t node, const std::string& name, SetId set, NameSpaceId in) {
    return cluster_.run(node, cluster_.kddm(node).bind(name, set, cluster_.soon(), in));
  }
  Result<SetId> look_up(std::uint32_t node, const std::string& name, NameSpaceId in) {
    return cluster_.run(node, cluster_.kddm(node).look_up(name, cluster_.soon(), in));
  }
  Errc touch(std::uint32_t node, SetId set) {
    const auto lease =
        cluster_.run(node, cluster_.kddm(node).grab(set, ObjectId{1}, cluster_.within()));
    return lease ? Errc::ok : lease.error().code();
  }

  KddmCluster cluster_{3};
};

TEST_F(NameSpacesTest, AreKnownByNameOnEveryNode) {
  EXPECT_EQ(*find(0, "default"), kDefaultNameSpace);
  EXPECT_EQ(find(2, "a").error().code(), Errc::not_found);
  const auto a = create(0, "a");
  ASSERT_TRUE(a) << a.error().message();
  const auto b = create(1, "b");
  ASSERT_TRUE(b);
  EXPECT_NE(*a, *b);
  EXPECT_NE(*a, kDefaultNameSpace);
  EXPECT_EQ(*find(2, "a"), *a);
  EXPECT_EQ(*find(0, "b"), *b);
  EXPECT_EQ(create(2, "a").error().code(), Errc::already_exists);
  EXPECT_EQ(create(2, "default").error().code(), Errc::already_exists);
  EXPECT_EQ(create(2, "").error().code(), Errc::invalid_argument);
}

TEST_F(NameSpacesTest, OneNameMeansASetInEach) {
  const NameSpaceId a = *create(0, "a"), b = *create(1, "b");
  const SetId in_a = *create_set(0, a), in_b = *create_set(1, b),
              in_default = *create_set(2, kDefaultNameSpace);
  ASSERT_TRUE(bind(0, "table", in_a, a));
  ASSERT_TRUE(bind(1, "table", in_b, b));
  ASSERT_TRUE(bind(2, "table", in_default, kDefaultNameSpace));
  EXPECT_EQ(bind(2, "table", in_a, a).error().code(), Errc::already_exists);
  for (std::uint32_t node = 0; node < 3; ++node) {
    EXPECT_EQ(*look_up(node, "table", a), in_a);
    EXPECT_EQ(*look_up(node, "table", b), in_b);
    EXPECT_EQ(*look_up(node, "table", kDefaultNameSpace), in_default);
  }
  ASSERT_TRUE(cluster_.run(2, cluster_.kddm(2).unbind("table", cluster_.soon(), a)));
  EXPECT_EQ(look_up(0, "table", a).error().code(), Errc::not_found);
  EXPECT_EQ(*look_up(0, "table", b), in_b);
}

TEST_F(NameSpacesTest, EndWithAllThatIsInThemAndNothingElse) {
  const NameSpaceId a = *create(0, "a"), b = *create(1, "b");
  std::vector<SetId> gone, there;
  for (std::uint32_t i = 0; i < 20; ++i) {
    gone.push_back(*create_set(i % 3, a));
    there.push_back(*create_set(i % 3, i % 2 == 0 ? b : kDefaultNameSpace));
    ASSERT_TRUE(bind(i % 3, "table" + std::to_string(i), gone.back(), a));
    ASSERT_EQ(touch((i + 1) % 3, gone.back()), Errc::ok);
    ASSERT_EQ(touch((i + 1) % 3, there.back()), Errc::ok);
  }
  ASSERT_TRUE(bind(0, "table7", there[0], b));
  const Status ended = destroy(2, a);
  ASSERT_TRUE(ended) << ended.error().message();
  for (std::uint32_t i = 0; i < 20; ++i) {
    EXPECT_EQ(touch(i % 3, gone[i]), Errc::not_found) << i;
    EXPECT_EQ(look_up(i % 3, "table" + std::to_string(i), a).error().code(), Errc::not_found) << i;
    EXPECT_EQ(touch(i % 3, there[i]), Errc::ok) << i;
  }
  EXPECT_EQ(*look_up(1, "table7", b), there[0]);
  EXPECT_EQ(find(0, "a").error().code(), Errc::not_found);
  EXPECT_EQ(destroy(0, a).error().code(), Errc::not_found);
  EXPECT_EQ(create_set(1, a).error().code(), Errc::not_found);
  EXPECT_EQ(bind(1, "x", there[0], a).error().code(), Errc::not_found);
  const auto again = create(0, "a");
  ASSERT_TRUE(again) << "the name is free";
  EXPECT_NE(*again, a) << "the id is not";
}

TEST_F(NameSpacesTest, TheDefaultOneDoesNotEnd) {
  const SetId set = *create_set(0, kDefaultNameSpace);
  EXPECT_EQ(destroy(0, kDefaultNameSpace).error().code(), Errc::denied);
  EXPECT_EQ(touch(1, set), Errc::ok);
  EXPECT_EQ(create_set(0, NameSpaceId{77}).error().code(), Errc::not_found);
  EXPECT_EQ(create(0, std::string(256, 'x')).error().code(), Errc::invalid_argument);
}

// Goal    whoever makes sets while the name space ends leaves none behind.
// Method  two nodes make sets one after the other until they are told that it has ended; a third
//         one ends it meanwhile, and a new view begins. No set that they were given is there.
TEST_F(NameSpacesTest, NothingComesInWhileOneEnds) {
  const NameSpaceId a = *create(0, "a");
  std::vector<SetId> made;
  const auto make = [&](std::uint32_t node) -> Co<Status> {
    return
        [](Kddm& kddm, NameSpaceId in, Deadline deadline, std::vector<SetId>& sets) -> Co<Status> {
          for (;;) {
            SetOptions options;
            options.object_bytes = 8;
            options.name_space = in;
            KRG_CO_TRY_ASSIGN(const SetId set, co_await kddm.create(options, deadline));
            sets.push_back(set);
          }
        }(cluster_.kddm(node), a, cluster_.soon(), made);
  };
  std::optional<Status> first, second, ended;
  cluster_.start(0, make(0), first);
  cluster_.start(1, make(1), second);
  cluster_.world().run_for(std::chrono::milliseconds(2));
  ASSERT_GT(made.size(), 5u);
  cluster_.start(2, cluster_.kddm(2).destroy_name_space(a, cluster_.soon()), ended);
  cluster_.world().run_for(std::chrono::microseconds(100));
  cluster_.enter(cluster::NodeSet::first(3));
  cluster_.settle();
  ASSERT_TRUE(first && second && ended);
  EXPECT_EQ(first->error().code(), Errc::not_found);
  EXPECT_EQ(second->error().code(), Errc::not_found);
  ASSERT_TRUE(*ended) << ended->error().message();
  for (const SetId set : made) {
    const auto left = cluster_.run(1, cluster_.kddm(1).options_of(set, cluster_.soon()));
    EXPECT_FALSE(left) << set.value;
  }
}

TEST_F(NameSpacesTest, SurviveTheirMaker) {
  const NameSpaceId a = *create(0, "a");
  const SetId set = *create_set(0, a);
  ASSERT_TRUE(bind(0, "table", set, a));
  cluster_.kill(0);
  cluster_.enter({NodeId{1}, NodeId{2}});
  EXPECT_EQ(*find(1, "a"), a);
  EXPECT_EQ(*look_up(2, "table", a), set);
  ASSERT_TRUE(destroy(1, a));
  EXPECT_EQ(touch(2, set), Errc::not_found);
}

}  // namespace
}  // namespace krg::kddm

// What a C program's options mean, of whatever version of the header; and the handles of leases.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <set>

#include "kddm_c_impl.h"

namespace krg::kddm::c {
namespace {

using ::testing::HasSubstr;

krg_kddm_options begin() {
  krg_kddm_options options;
  krg_kddm_options_init(&options);
  return options;
}

TEST(COptions, AreThoseOfCppWhenNothingIsSaid) {
  const krg_kddm_options options = begin();
  const auto means = options_of(&options);
  ASSERT_TRUE(means) << means.error().message();
  EXPECT_EQ(*means, SetOptions{});
}

TEST(COptions, SayAllThatCppSays) {
  krg_kddm_options options = begin();
  options.object_bytes = 4096;
  options.object_count = 100;
  options.variable_size = 1;
  options.copies = 3;
  options.flags = KRG_KDDM_TOUCH_AT_HOME;
  options.policy = KRG_KDDM_ROUND_ROBIN;
  options.home = 7;
  options.nodes = "2,3,6-10";
  options.linker = "file";
  options.linker_data = "/tmp/objects";
  SetOptions right;
  right.object_bytes = 4096;
  right.object_count = 100;
  right.variable_size = true;
  right.copies = 3;
  right.flags = 2;
  right.policy = HomePolicy::round_robin;
  right.home = NodeId{7};
  right.nodes = *cluster::NodeSet::parse("2-3,6-10");
  right.linker = "file";
  right.linker_data = "/tmp/objects";
  const auto means = options_of(&options);
  ASSERT_TRUE(means) << means.error().message();
  EXPECT_EQ(*means, right);
  options.policy = KRG_KDDM_FIXED;
  EXPECT_EQ(options_of(&options)->policy, HomePolicy::fixed);
  options.policy = KRG_KDDM_LINKER;
  EXPECT_EQ(options_of(&options)->policy, HomePolicy::linker);
}

TEST(COptions, OfALaterProgramAreTakenIfTheyAreZeroWhereTheyAreUnknown) {
  struct Later {
    krg_kddm_options known = begin();
    std::uint64_t unknown = 0;
  } later;
  later.known.size = sizeof later;
  later.known.object_bytes = 8;
  const auto means = options_of(&later.known);
  ASSERT_TRUE(means) << means.error().message();
  EXPECT_EQ(means->object_bytes, 8u);
  later.unknown = 1;
  const auto refused = options_of(&later.known);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error(), Errc::invalid_argument);
  EXPECT_THAT(refused.error().message(), HasSubstr("a later version"));
}

TEST(COptions, WithoutTheirSizeAreRefused) {
  for (const std::size_t size : {std::size_t{0}, sizeof(krg_kddm_options) - 1, std::size_t{4097}}) {
    krg_kddm_options options = begin();
    options.size = size;
    const auto refused = options_of(&options);
    ASSERT_FALSE(refused) << size;
    EXPECT_THAT(refused.error().message(), HasSubstr("krg_kddm_options_init()"));
  }
  EXPECT_EQ(options_of(nullptr).error(), Errc::invalid_argument);
}

TEST(COptions, ThatMakeNoSenseAreRefused) {
  krg_kddm_options options = begin();
  options.policy = 4;
  EXPECT_THAT(options_of(&options).error().message(), HasSubstr("home policy"));
  options = begin();
  options.nodes = "2-";
  EXPECT_EQ(options_of(&options).error(), Errc::invalid_argument);
  options = begin();
  options.copies = 1000;
  ASSERT_TRUE(options_of(&options));
  EXPECT_FALSE(check(*options_of(&options)));
}

TEST(COptions, TheNameSpaceIsWhereAReservedZeroWas) {
  krg_kddm_options options = begin();
  EXPECT_EQ(options_of(&options)->name_space, kDefaultNameSpace);
  options.name_space = 7;
  EXPECT_EQ(options_of(&options)->name_space, NameSpaceId{7});
  static_assert(offsetof(krg_kddm_options, name_space) == offsetof(krg_kddm_options, home) + 4);
}

TEST(CLeases, AHandleThatWasPutIsNotUsedAgainSoon) {
  LeasePool pool;
  krg_kddm_lease* const first = pool.take();
  pool.give(*first);
  for (std::size_t i = 0; i < LeasePool::kResting; ++i) {
    krg_kddm_lease* const other = pool.take();
    ASSERT_NE(other, first) << i;
    pool.give(*other);
  }
  // But in the end it is: the handles do not become more and more.
  std::set<krg_kddm_lease*> seen;
  for (int i = 0; i < 1000; ++i) {
    krg_kddm_lease* const lease = pool.take();
    seen.insert(lease);
    pool.give(*lease);
  }
  EXPECT_LE(seen.size(), LeasePool::kResting + 1);
}

}  // namespace
}  // namespace krg::kddm::c

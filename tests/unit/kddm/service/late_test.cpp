// Messages that nobody waits for yet leave a turn later.
#include <cstring>

#include "kddm_cluster.h"

namespace krg::kddm {
namespace {

class LateMessages : public ::testing::Test {
 protected:
  void SetUp() override {
    SetOptions options;
    options.object_bytes = 8;
    options.policy = HomePolicy::fixed;
    options.home = NodeId{0};
    auto made = cluster_.run(0, cluster_.kddm(0).create(options, cluster_.soon()));
    ASSERT_TRUE(made);
    set_ = *made;
    ASSERT_TRUE(cluster_.run(0, write(0, 7)));
    cluster_.settle();  // Node 1 is the heir, and confirms that the object exists.
    before_ = cluster_.count(1, "kddm.sent");
  }
  Co<Status> write(std::uint32_t node, std::uint64_t value) {
    KRG_CO_TRY_ASSIGN(Lease lease,
                      co_await cluster_.kddm(node).grab(set_, kObject, cluster_.within()));
    std::memcpy(lease.writable().data(), &value, sizeof value);
    co_return Status();
  }
  // How many messages node 1 had sent when it had the lease.
  Co<Result<std::int64_t>> get() {
    KRG_CO_TRY_ASSIGN(const Lease lease,
                      co_await cluster_.kddm(1).get(set_, kObject, cluster_.within()));
    co_return sent();
  }
  // The second begins in the turn in which the first has ended.
  Co<Result<std::int64_t>> get_and_write(std::uint64_t value) {
    KRG_CO_TRY(co_await get());
    KRG_CO_TRY(co_await write(1, value));
    co_return sent();
  }
  std::uint64_t sent() { return cluster_.count(1, "kddm.sent") - before_; }

  static constexpr ObjectId kObject{3};
  KddmCluster cluster_{2};
  SetId set_;
  std::uint64_t before_ = 0;
};

TEST_F(LateMessages, TheHomeHearsOfALeaseWhenItsUserHasRun) {
  const auto at_lease = cluster_.run(1, get());
  ASSERT_TRUE(at_lease);
  EXPECT_EQ(*at_lease, 1) << "more than the request stood before the lease";
  cluster_.settle();
  EXPECT_EQ(sent(), 2);
  EXPECT_TRUE(cluster_.run(0, write(0, 8))) << "the home waits for ever";
}

TEST_F(LateMessages, WhatIsSaidOfTheSameObjectMeanwhileComesAfterThem) {
  const auto at_lease = cluster_.run(1, get_and_write(9));
  ASSERT_TRUE(at_lease);
  EXPECT_EQ(*at_lease, 3) << "get, done, grab";
  cluster_.settle();
  EXPECT_EQ(sent(), 4);
  EXPECT_EQ(cluster_.count(0, "kddm.impossible") + cluster_.count(1, "kddm.impossible"), 0u);
}

TEST_F(LateMessages, AViewThatComesBeforeThemEndsThem) {
  std::optional<Result<std::int64_t>> at_lease;
  cluster_.start(1, get(), at_lease);
  while (!at_lease) cluster_.world().step();
  cluster_.enter(cluster::NodeSet::first(2));
  cluster_.settle();
  EXPECT_TRUE(cluster_.run(0, write(0, 8))) << "the home waits for ever";
  EXPECT_TRUE(cluster_.run(1, write(1, 9)));
  EXPECT_EQ(cluster_.count(0, "kddm.impossible") + cluster_.count(1, "kddm.impossible"), 0u);
}

}  // namespace
}  // namespace krg::kddm

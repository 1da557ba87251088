// What a node that leaves takes along: nothing, whatever happens beside it.
#include <cstring>

#include "kddm_cluster.h"
#include "krg/testing/matchers.h"

namespace krg::kddm {
namespace {

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

// Three nodes; all objects are at home at node 0, and node 1 is their heir.
class Leave : public ::testing::Test {
 protected:
  Leave() {
    SetOptions options;
    options.object_bytes = 8;
    options.policy = HomePolicy::fixed;
    options.home = NodeId{0};
    auto made = cluster_.run(0, cluster_.kddm(0).create(options, cluster_.soon()));
    KRG_ASSERT(made);
    set_ = *made;
  }
  Status write(std::uint32_t node, std::uint64_t object, std::uint64_t value) {
    return cluster_.run(node,
                        put(cluster_.kddm(node), set_, ObjectId{object}, value, cluster_.within()));
  }
  Errc get(std::uint32_t node, std::uint64_t object, std::uint64_t value) {
    const auto got =
        cluster_.run(node, read(cluster_.kddm(node), set_, ObjectId{object}, cluster_.within()));
    if (!got) return got.error().code();
    EXPECT_EQ(*got, value);
    return Errc::ok;
  }
  Status remove(std::uint32_t node, std::uint64_t object) {
    return cluster_.run(node,
                        cluster_.kddm(node).remove(set_, ObjectId{object}, cluster_.within()));
  }
  // In the view that node 0 is to leave.
  cluster::ViewChange leave_of_home() {
    before_ = {cluster_.kddm(0).epoch(), NodeId{1}, {}};
    after_ = {Epoch{before_.epoch.value + 1}, NodeId{1}, {}};
    return {before_, after_, {}, {NodeId{0}}, {}};
  }
  void begin_leave() {
    cluster_.set_leaving({NodeId{0}});
    cluster_.enter(cluster::NodeSet::first(3));
  }
  Status drain() {
    const cluster::ViewChange change = leave_of_home();
    return cluster_.run(0, cluster_.kddm(0).prepare(change, cluster_.soon()));
  }
  // Who knows that the object exists without having it.
  cluster::NodeSet knowing(std::uint64_t object) {
    cluster::NodeSet nodes;
    for (std::uint32_t node = 0; node < 3; ++node) {
      for (const ObjectState& part : cluster_.kddm(node).dump()) {
        const bool noted = part.home.state == HomeState::away && part.home.noted;
        if (part.set == set_ && part.object.value == object && noted) nodes.insert(NodeId{node});
      }
    }
    return nodes;
  }
  // Node 0 has left, and node 1 dies before the others have told it, or it them, what they know.
  void leave_and_lose_the_heir() {
    cluster_.kill(0);
    cluster_.begin_view();
    for (const std::uint32_t node : {1u, 2u}) cluster_.enter(node, {NodeId{1}, NodeId{2}});
    cluster_.kill(1);
    cluster_.enter({NodeId{2}});
  }

  KddmCluster cluster_{3, false};
  SetId set_;
  cluster::View before_, after_;  // A ViewChange refers to them.
};

TEST_F(Leave, WhatTheHeirAloneHadIsLostWithItAndNotForgotten) {
  ASSERT_TRUE(write(1, 7, 70));
  begin_leave();
  ASSERT_OK(drain());
  leave_and_lose_the_heir();
  EXPECT_EQ(get(2, 7, 0), Errc::lost);
  EXPECT_EQ(get(2, 8, 0), Errc::ok);
}

TEST_F(Leave, WhatWasMadeAndRemovedMeanwhileIsKnownToo) {
  ASSERT_TRUE(write(1, 1, 10));
  ASSERT_TRUE(write(1, 2, 20));
  begin_leave();
  ASSERT_TRUE(remove(1, 1));
  ASSERT_OK(drain());
  ASSERT_TRUE(remove(1, 2));
  ASSERT_TRUE(write(1, 3, 30));
  cluster_.settle();
  leave_and_lose_the_heir();
  EXPECT_EQ(get(2, 1, 0), Errc::ok);
  EXPECT_EQ(get(2, 2, 0), Errc::ok);
  EXPECT_EQ(get(2, 3, 0), Errc::lost);
}

TEST_F(Leave, WhenItIsGivenUpOnlyTheHeirKnows) {
  ASSERT_TRUE(write(1, 4, 40));
  begin_leave();
  ASSERT_OK(drain());
  EXPECT_EQ(knowing(4), (cluster::NodeSet{NodeId{1}, NodeId{2}}));
  cluster_.kddm(0).abort(leave_of_home());
  cluster_.set_leaving({});
  cluster_.enter(cluster::NodeSet::first(3));
  cluster_.settle();
  EXPECT_EQ(knowing(4), cluster::NodeSet{NodeId{1}});
  ASSERT_TRUE(remove(2, 4));
  cluster_.settle();
  EXPECT_TRUE(knowing(4).empty());
}

// Goal    what is given away goes to a node of the view that the leave begins from.
TEST_F(Leave, WhoDrainsInAnotherViewHasNotDrained) {
  ASSERT_TRUE(write(0, 5, 50));
  const cluster::ViewChange old = leave_of_home();
  cluster_.enter(cluster::NodeSet::first(3));
  const Status drained = cluster_.run(0, cluster_.kddm(0).prepare(old, cluster_.soon()));
  ASSERT_FALSE(drained);
  EXPECT_EQ(drained.error().code(), Errc::stale);
  EXPECT_EQ(get(0, 5, 50), Errc::ok) << "it serves on";
}

// Goal    an only copy does not go to a node that the others may have excluded already.
// Method  node 2's lease is over, which comes first; it still hears node 0, which has heard of no
//         new view, and is told to take node 0's copy.
TEST_F(Leave, WhoHasNoLeaseTakesNoCopy) {
  ASSERT_TRUE(write(0, 6, 60));
  ASSERT_TRUE(write(0, 9, 90));
  cluster_.set_serving(2, false);
  std::optional<Status> flushed;
  const auto flush = [&](std::uint64_t object) {
    flushed.reset();
    cluster_.start(0, cluster_.kddm(0).flush(set_, ObjectId{object}, cluster_.within(), NodeId{2}),
                   flushed);
    cluster_.settle();
  };
  flush(9);
  EXPECT_FALSE(flushed.has_value());
  cluster_.set_serving(2, true);
  cluster_.settle();
  ASSERT_TRUE(flushed.has_value());
  EXPECT_TRUE(*flushed);
  EXPECT_EQ(get(2, 9, 90), Errc::ok);

  cluster_.set_serving(2, false);
  flush(6);
  EXPECT_FALSE(flushed.has_value());
  cluster_.enter({NodeId{0}, NodeId{1}});
  cluster_.settle();
  EXPECT_EQ(get(1, 6, 60), Errc::ok);
}

// Goal    what may still be written is not left behind because all had it a moment ago.
// Method  two nodes, two copies of each object. Node 1 reads one that it waits to write, so each
//         flush leaves it there, and then the writer is asked for again. It has that before so many
//         others were answered that they have them too.
TEST_F(Leave, WhoWaitsToWriteWhatAllHaveIsWaitedFor) {
  cluster_.kill(2);
  cluster_.enter(cluster::NodeSet::first(2));
  Kddm& leaver = cluster_.kddm(1);
  const auto make_pairs = [&](NodeId home) {
    SetOptions options;
    options.object_bytes = 8;
    options.copies = 2;
    options.policy = HomePolicy::fixed;
    options.home = home;
    return *cluster_.run(0, cluster_.kddm(0).create(options, cluster_.soon()));
  };
  const SetId many = make_pairs(NodeId{0});
  const SetId pairs = make_pairs(NodeId{1});
  const auto have_both = [&](SetId set, ObjectId object) {
    ASSERT_OK(cluster_.run(1, put(leaver, set, object, 10, cluster_.within())));
    ASSERT_TRUE(cluster_.run(0, read(cluster_.kddm(0), set, object, cluster_.within())));
  };
  for (std::uint64_t object = 0; object < 1'200; ++object) have_both(many, ObjectId{object});
  const ObjectId one{1};
  have_both(pairs, one);
  auto reader = cluster_.run(1, leaver.get(pairs, one, cluster_.within()));
  ASSERT_TRUE(reader);
  std::optional<Status> written, drained;
  cluster_.start(1, put(leaver, pairs, one, 11, cluster_.within()), written);
  const cluster::View before{leaver.epoch(), NodeId{0}, {}};
  const cluster::View after{Epoch{before.epoch.value + 1}, NodeId{0}, {}};
  const cluster::ViewChange change{before, after, {}, {NodeId{1}}, {}};
  cluster_.start(1, leaver.prepare(change, cluster_.soon()), drained);
  cluster_.settle();
  EXPECT_FALSE(written);
  EXPECT_FALSE(drained) << "it would leave with a writer";
  *reader = Lease();
  const auto ended = [&] { return written && drained; };
  ASSERT_TRUE(cluster_.world().run_until(ended, std::chrono::seconds(5)));
  ASSERT_OK(*written);
  ASSERT_OK(*drained);
  cluster_.kill(1);
  cluster_.enter(cluster::NodeSet::first(1));
  const auto left = cluster_.run(0, read(cluster_.kddm(0), pairs, one, cluster_.within()));
  ASSERT_TRUE(left);
  EXPECT_EQ(*left, 11u);
}

}  // namespace
}  // namespace krg::kddm

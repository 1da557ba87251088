// What a change of view costs, and what those who miss one still find.
#include <gtest/gtest.h>

#include <cstring>

#include "kddm_cluster.h"

namespace krg::kddm {
namespace {

constexpr std::uint32_t kNodes = 5;
constexpr std::uint64_t kObjects = 1000;

class Views : public ::testing::Test {
 protected:
  Views() {
    SetOptions options;
    options.object_bytes = sizeof(std::uint64_t);
    set_ = *cluster_.run(1, cluster_.kddm(1).create(options, cluster_.soon()));
    for (std::uint64_t object = 0; object < kObjects; ++object)
      write(holder(object), object, object);
    cluster_.settle();
  }
  // Not node 0, which goes, and not by the hash that homes go by.
  static std::uint32_t holder(std::uint64_t object) { return 1 + object % (kNodes - 1); }

  void write(std::uint32_t node, std::uint64_t object, std::uint64_t value) {
    auto lease =
        cluster_.run(node, cluster_.kddm(node).grab(set_, ObjectId{object}, cluster_.within()));
    KRG_ASSERT(lease);
    std::memcpy(lease->writable().data(), &value, sizeof value);
  }
  Result<std::uint64_t> read(std::uint32_t node, std::uint64_t object) {
    auto lease =
        cluster_.run(node, cluster_.kddm(node).get(set_, ObjectId{object}, cluster_.within()));
    if (!lease) return lease.error();
    std::uint64_t value = 0;
    std::memcpy(&value, lease->bytes().data(), sizeof value);
    return value;
  }
  // Messages about objects, of all nodes that are there.
  std::uint64_t sent() {
    std::uint64_t sum = 0;
    for (std::uint32_t node = gone_ ? 1 : 0; node < kNodes; ++node) {
      sum += cluster_.count(node, "kddm.sent");
    }
    return sum;
  }
  void lose_node_0() {
    cluster_.kill(0);
    gone_ = true;
  }
  static cluster::NodeSet without_0() {
    return cluster::NodeSet::first(kNodes) - cluster::NodeSet{NodeId{0}};
  }
  void expect_all(std::uint32_t reader) {
    for (std::uint64_t object = 0; object < kObjects; ++object) {
      const auto value = read(reader, object);
      ASSERT_TRUE(value) << object << ": " << value.error().message();
      EXPECT_EQ(*value, object);
    }
    for (std::uint32_t node = gone_ ? 1 : 0; node < kNodes; ++node) {
      EXPECT_EQ(cluster_.count(node, "kddm.impossible"), 0u) << "node " << node;
    }
  }

  KddmCluster cluster_{kNodes};
  SetId set_;
  bool gone_ = false;
};

TEST_F(Views, OneWithTheSameMembersSaysNothingOfObjects) {
  const std::uint64_t before = sent();
  cluster_.enter(cluster::NodeSet::first(kNodes));
  cluster_.settle();
  EXPECT_EQ(sent(), before);
  expect_all(3);
}

// Goal    what has nothing to do with a node that goes is not touched.
// Method  of five nodes one goes that has nothing: a fifth of the objects has a new home, of whom
//         the holder tells, and who tells a new heir, which confirms; another fifth a new heir.
TEST_F(Views, ANodeThatGoesTouchesItsShareOfTheObjects) {
  const std::uint64_t of_the_gone = cluster_.count(0, "kddm.sent");
  const std::uint64_t before = sent() - of_the_gone;
  lose_node_0();
  cluster_.enter(without_0());
  cluster_.settle();
  const double each = static_cast<double>(sent() - before) / kObjects;
  EXPECT_LT(each, 1.25 * 5 / kNodes);
  EXPECT_GT(each, 0.5 * 5 / kNodes);
  expect_all(2);
}

// Goal    a home that has missed a view relies on nothing that it knew.
TEST_F(Views, OneThatIsMissedIsMadeUpFor) {
  lose_node_0();
  cluster_.begin_view();
  for (std::uint32_t node = 2; node < kNodes; ++node) cluster_.enter(node, without_0());
  cluster_.enter(without_0());  // Node 1 hears of this one alone.
  cluster_.settle();
  expect_all(1);
  for (std::uint64_t object = 0; object < kObjects; object += 7) write(4, object, object);
  expect_all(2);
}

TEST_F(Views, OneThatComesBeforeTheLastIsSettledLosesNothing) {
  lose_node_0();
  cluster_.enter(without_0());
  cluster_.enter(without_0());
  cluster_.settle();
  expect_all(3);
}

// Two failures one after the other: between them a second copy is made of what a writer has alone.
TEST(Copies, AWriterThatHasLostItsSpareGetsAnother) {
  constexpr std::uint64_t kSome = 60;
  KddmCluster cluster(4);
  SetOptions options;
  options.object_bytes = sizeof(std::uint64_t);
  options.copies = 2;
  const SetId set = *cluster.run(0, cluster.kddm(0).create(options, cluster.soon()));
  for (std::uint64_t object = 0; object < kSome; ++object) {
    for (std::uint64_t value = 1; value <= 2; ++value) {
      auto lease = cluster.run(1, cluster.kddm(1).grab(set, ObjectId{object}, cluster.within()));
      ASSERT_TRUE(lease);
      std::memcpy(lease->writable().data(), &value, sizeof value);
      *lease = {};
      if (value == 2) continue;  // What others keep from now on is as old as the first.
      ASSERT_TRUE(cluster.run(1, cluster.kddm(1).sync(set, ObjectId{object}, cluster.within())));
    }
  }
  cluster::NodeSet members = cluster::NodeSet::first(4);
  for (const NodeId gone : {NodeId{2}, NodeId{1}}) {
    cluster.kill(gone.value);
    members = members - cluster::NodeSet{gone};
    cluster.enter(members);
    cluster.settle();
  }
  for (std::uint64_t object = 0; object < kSome; ++object) {
    const auto lease = cluster.run(0, cluster.kddm(0).get(set, ObjectId{object}, cluster.within()));
    ASSERT_TRUE(lease) << object << ": " << lease.error().message();
    std::uint64_t value = 0;
    std::memcpy(&value, lease->bytes().data(), sizeof value);
    EXPECT_GE(value, 1u) << object;
  }
}

}  // namespace
}  // namespace krg::kddm

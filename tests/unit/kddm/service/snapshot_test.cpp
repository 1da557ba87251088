// What a reader keeps of an object while writers go on.
#include "krg/kddm/snapshot.h"

#include <cstring>

#include "kddm_cluster.h"

namespace krg::kddm {
namespace {

constexpr ObjectId kObject{3};

class Snapshots : public ::testing::TestWithParam<bool> {
 protected:
  Snapshots() {
    SetOptions options;
    options.object_bytes = 1000;
    set_ = *cluster_.run(0, cluster_.kddm(0).create(options, cluster_.soon()));
  }
  Lease get(std::uint32_t node) {
    auto lease = cluster_.run(node, cluster_.kddm(node).get(set_, kObject, cluster_.within()));
    KRG_ASSERT(lease);
    return std::move(*lease);
  }
  Lease grab(std::uint32_t node) {
    auto lease = cluster_.run(node, cluster_.kddm(node).grab(set_, kObject, cluster_.within()));
    KRG_ASSERT(lease);
    return std::move(*lease);
  }
  void write(std::uint32_t node, int value) {
    Lease lease = grab(node);
    std::memset(lease.writable().data(), value, lease.writable().size());
  }
  static bool all(std::span<const std::byte> bytes, int value) {
    for (const std::byte b : bytes) {
      if (b != static_cast<std::byte>(value)) return false;
    }
    return bytes.size() == 1000;
  }

  KddmCluster cluster_{2, GetParam()};
  SetId set_;
};

TEST_P(Snapshots, KeepTheOldBytesWhileAWriterOfTheNodeGoesOn) {
  write(0, 1);
  auto kept = copy_on_write(get(0));
  ASSERT_TRUE(kept);
  write(0, 2);
  write(0, 3);
  EXPECT_TRUE(all(kept->bytes(), 1));
  EXPECT_TRUE(all(get(0).bytes(), 3));
  EXPECT_TRUE(all(get(1).bytes(), 3));
  EXPECT_TRUE(all(kept->bytes(), 1));
}

TEST_P(Snapshots, KeepTheOldBytesWhileAnotherNodeWrites) {
  write(0, 1);
  auto kept = copy_on_write(get(1));
  ASSERT_TRUE(kept);
  write(0, 2);
  write(1, 3);
  EXPECT_TRUE(all(kept->bytes(), 1));
  EXPECT_TRUE(all(get(0).bytes(), 3));
}

TEST_P(Snapshots, OfAWriterKeepWhatItHasWritten) {
  Lease lease = grab(0);
  std::memset(lease.writable().data(), 7, 1000);
  auto kept = copy_on_write(std::move(lease));
  ASSERT_TRUE(kept);
  write(0, 8);
  EXPECT_TRUE(all(kept->bytes(), 7));
}

TEST_P(Snapshots, AreWrittenWithoutTheObjectNoticing) {
  write(0, 1);
  auto kept = copy_on_write(get(0));
  ASSERT_TRUE(kept);
  auto own = kept->writable();
  ASSERT_TRUE(own);
  std::memset(own->data(), 9, own->size());
  EXPECT_TRUE(all(kept->bytes(), 9));
  EXPECT_TRUE(all(get(0).bytes(), 1));
  // Broken once, it stays so; and the object's writers copy nothing any more.
  EXPECT_EQ(kept->writable()->data(), own->data());
  write(0, 2);
  EXPECT_TRUE(all(kept->bytes(), 9));
}

TEST_P(Snapshots, OutliveTheObjectAndItsSet) {
  write(0, 1);
  auto kept = copy_on_write(get(0));
  ASSERT_TRUE(kept);
  ASSERT_TRUE(cluster_.run(1, cluster_.kddm(1).remove(set_, kObject, cluster_.within())));
  ASSERT_TRUE(cluster_.run(1, cluster_.kddm(1).destroy(set_, cluster_.soon())));
  EXPECT_TRUE(all(kept->bytes(), 1));
}

INSTANTIATE_TEST_SUITE_P(Copies, Snapshots, ::testing::Bool(),
                         [](const auto& where) { return where.param ? "InAStore" : "OnTheHeap"; });

class SnapshotCosts : public Snapshots {};

TEST_P(SnapshotCosts, NothingUntilSomebodyWrites) {
  write(0, 1);
  const std::byte* const before = get(0).bytes().data();
  {
    auto kept = copy_on_write(get(0));
    EXPECT_EQ(kept->bytes().data(), before);
  }
  EXPECT_EQ(grab(0).bytes().data(), before) << "no snapshot is left";
  auto kept = copy_on_write(get(0));
  EXPECT_NE(grab(0).bytes().data(), before);
  EXPECT_EQ(kept->bytes().data(), before);
}

INSTANTIATE_TEST_SUITE_P(OnTheHeap, SnapshotCosts, ::testing::Values(false));

}  // namespace
}  // namespace krg::kddm

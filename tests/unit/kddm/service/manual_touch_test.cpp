// First touches by the caller: the set's linker has no part in what the object begins as.
#include <cstring>
#include <map>

#include "kddm_cluster.h"

namespace krg::kddm {
namespace {

constexpr std::uint64_t kBytes = 64;

// Of all nodes: what a linker was asked, and what was written back.
struct Drawer {
  unsigned touched = 0;
  bool fails = false;
  std::map<std::uint64_t, std::byte> objects;  // The first byte of each.
};

// Objects of 0x77, or of what was written back.
class DrawerLinker final : public Linker {
 public:
  explicit DrawerLinker(Drawer& drawer) : drawer_(drawer) {}
  const char* name() const noexcept override { return "drawer"; }
  bool writes_back() const noexcept override { return true; }
  Co<Status> first_touch(SetId, ObjectId object, Bytes into) override {
    if (drawer_.fails) co_return Error(Errc::denied, "the drawer is locked");
    ++drawer_.touched;
    const auto at = drawer_.objects.find(object.value);
    const auto value = at == drawer_.objects.end() ? std::byte{0x77} : at->second;
    std::fill(into.begin(), into.end(), value);
    co_return Status();
  }
  Co<Status> write_back(SetId, ObjectId object, std::span<const std::byte> from) override {
    drawer_.objects[object.value] = from[0];
    co_return Status();
  }

 private:
  Drawer& drawer_;
};

class ManualTouch : public ::testing::TestWithParam<bool> {
 protected:
  ManualTouch() {
    for (std::uint32_t i = 0; i < 3; ++i) cluster_.kddm(i).add_linker(linker_);
  }
  SetId make_set(bool at_home, bool variable = false) {
    SetOptions options;
    options.object_bytes = kBytes;
    options.linker = "drawer";
    options.variable_size = variable;
    if (at_home) options.flags = static_cast<std::uint32_t>(SetFlag::touch_at_home);
    return *cluster_.run(0, cluster_.kddm(0).create(options, cluster_.soon()));
  }
  OpOptions manual(std::uint64_t bytes = 0) {
    OpOptions options = cluster_.within();
    options.manual_touch = true;
    options.touch_bytes = bytes;
    return options;
  }
  Result<Lease> grab(std::uint32_t node, SetId set, std::uint64_t object, OpOptions options) {
    return cluster_.run(node, cluster_.kddm(node).grab(set, ObjectId{object}, options));
  }
  Result<std::byte> first_byte(std::uint32_t node, SetId set, std::uint64_t object) {
    const auto lease =
        cluster_.run(node, cluster_.kddm(node).get(set, ObjectId{object}, cluster_.within()));
    if (!lease) return lease.error();
    return lease->bytes()[0];
  }

  Drawer drawer_;
  DrawerLinker linker_{drawer_};
  KddmCluster cluster_{3, GetParam()};
};

TEST_P(ManualTouch, MakesZerosWithoutTheLinker) {
  drawer_.fails = true;
  for (const bool at_home : {false, true}) {
    const SetId set = make_set(at_home);
    for (std::uint64_t object = 0; object < 12; ++object) {
      auto lease = grab(object % 3, set, object, manual());
      ASSERT_TRUE(lease) << lease.error().message();
      ASSERT_EQ(lease->bytes().size(), kBytes);
      for (const std::byte b : lease->bytes()) ASSERT_EQ(b, std::byte{0});
      lease->writable()[0] = std::byte{5};
      lease->put();
      EXPECT_EQ(*first_byte((object + 1) % 3, set, object), std::byte{5});
    }
    const auto other = grab(1, set, 100, cluster_.within());
    ASSERT_FALSE(other) << "the linker makes what is grabbed otherwise";
    EXPECT_EQ(other.error().code(), Errc::denied);
  }
  EXPECT_EQ(drawer_.touched, 0u);
}

TEST_P(ManualTouch, LeavesWhatExistsAsItIs) {
  const SetId set = make_set(true);
  ASSERT_EQ(*first_byte(0, set, 1), std::byte{0x77});
  const auto lease = grab(2, set, 1, manual());
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->bytes()[kBytes - 1], std::byte{0x77});
}

// The linker would make something else: so the zeros are as good as written.
TEST_P(ManualTouch, IsWrittenBackThoughNobodyHasWrittenIt) {
  const SetId set = make_set(true);
  ASSERT_TRUE(cluster_.run(
      1, cluster_.kddm(1).prefetch_range(set, ObjectId{0}, 8, manual(), LeaseKind::write)));
  cluster_.enter(cluster::NodeSet::first(3));
  cluster_.settle();
  ASSERT_TRUE(cluster_.run(0, cluster_.kddm(0).sync(set, cluster_.soon())));
  ASSERT_EQ(drawer_.objects.size(), 8u);
  for (const auto& [object, value] : drawer_.objects) EXPECT_EQ(value, std::byte{0}) << object;
  EXPECT_EQ(drawer_.touched, 0u);
}

TEST_P(ManualTouch, OfVariableSizeIsAsLargeAsItsMakerSays) {
  const SetId set = make_set(false, true);
  EXPECT_EQ(grab(0, set, 1, manual())->bytes().size(), 0u);
  for (const std::uint64_t object : {1u, 2u}) {
    const auto lease = grab(1, set, object, manual(40));
    ASSERT_TRUE(lease) << lease.error().message();
    ASSERT_EQ(lease->bytes().size(), 40u);
    for (const std::byte b : lease->bytes()) ASSERT_EQ(b, std::byte{0});
  }
  EXPECT_EQ(grab(2, set, 2, manual(50))->bytes().size(), 40u) << "it had a size";
  EXPECT_EQ(grab(2, set, 3, manual(kBytes + 1)).error().code(), Errc::invalid_argument);
}

TEST_P(ManualTouch, IsNotForWhoOnlyReads) {
  const SetId set = make_set(true);
  Kddm& kddm = cluster_.kddm(0);
  const auto refused = [](const Status& how) {
    ASSERT_FALSE(how);
    EXPECT_EQ(how.error().code(), Errc::invalid_argument);
    EXPECT_NE(how.error().message().find("manual first touch"), std::string::npos);
  };
  const auto got = cluster_.run(0, kddm.get(set, ObjectId{1}, manual()));
  refused(got ? Status() : Status(got.error()));
  refused(cluster_.run(0, kddm.prefetch(set, ObjectId{1}, manual())));
  refused(cluster_.run(0, kddm.prefetch_range(set, ObjectId{1}, 3, manual())));
  Range range = kddm.get_range(set, ObjectId{1}, 2, manual());
  const auto next = cluster_.run(0, range.next());
  refused(next ? Status() : Status(next.error()));
  EXPECT_FALSE(kddm.find(set, ObjectId{1}));
}

TEST_P(ManualTouch, OfARange) {
  drawer_.fails = true;
  const SetId set = make_set(true);
  Range range = cluster_.kddm(2).grab_range(set, ObjectId{10}, 30, manual());
  const auto leases = cluster_.run(2, range.rest());
  ASSERT_TRUE(leases) << leases.error().message();
  ASSERT_EQ(leases->size(), 30u);
  for (const Lease& lease : *leases) EXPECT_EQ(lease.bytes()[0], std::byte{0});
}

INSTANTIATE_TEST_SUITE_P(HeapAndStore, ManualTouch, ::testing::Bool());

}  // namespace
}  // namespace krg::kddm

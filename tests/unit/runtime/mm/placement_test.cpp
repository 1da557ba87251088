// Goal    pages placed in blocks are at home there, on every node alike, and a region that can not
//         be one is refused.
#include <gtest/gtest.h>

#include "krg/mm/memory.h"
#include "krg/mm_calls/region_info.h"

namespace krg::mm {
namespace {

class PlacementTest : public testing::Test {
 protected:
  static kddm::SetOptions options_of(const RegionInfo& info) {
    kddm::SetOptions options;
    options.linker = "pages";
    options.object_bytes = kPageBytes;
    options.object_count = info.capacity / kPageBytes;
    options.policy = kddm::HomePolicy::linker;
    const auto data = wire::encode(info);
    options.linker_data.assign(reinterpret_cast<const char*>(data.data()), data.size());
    return options;
  }

  const reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  Memory memory_{reactor_, NodeId{0}};
  RegionInfo info_{kddm::SetId{2000},
                   0,
                   100 * kPageBytes,
                   200 * kPageBytes,
                   Placement::block,
                   kNoNode,
                   cluster::NodeSet{NodeId{2}, NodeId{3}, NodeId{7}},
                   "blocks"};
};

TEST_F(PlacementTest, BlocksAreAtTheNodesOfTheRegion) {
  ASSERT_TRUE(memory_.linker().accepts(options_of(info_)));
  memory_.linker().begin(info_.set, options_of(info_));
  const auto home = [&](std::uint64_t page) {
    return memory_.linker().preferred_home(info_.set, kddm::ObjectId{page});
  };
  EXPECT_EQ(home(0), NodeId{2});
  EXPECT_EQ(home(33), NodeId{2});
  EXPECT_EQ(home(34), NodeId{3});
  EXPECT_EQ(home(68), NodeId{7});
  EXPECT_EQ(home(99), NodeId{7});
  EXPECT_EQ(home(102), NodeId{2});  // What it may grow by goes round.
  memory_.linker().end(info_.set);
  EXPECT_EQ(home(0), kNoNode);
}

TEST_F(PlacementTest, WhatCanNotBeIsRefused) {
  const auto refused = [&](auto change) {
    RegionInfo info = info_;
    change(info);
    return !memory_.linker().accepts(options_of(info));
  };
  EXPECT_FALSE(refused([](RegionInfo&) {}));
  EXPECT_TRUE(refused([](RegionInfo& i) { i.nodes = {}; }));
  EXPECT_TRUE(refused([](RegionInfo& i) { i.placement = static_cast<Placement>(4); }));
  EXPECT_TRUE(refused([](RegionInfo& i) { i.bytes = i.capacity + kPageBytes; }));
  EXPECT_TRUE(refused([](RegionInfo& i) { i.capacity = kRegionBytesMax + kPageBytes; }));
  EXPECT_TRUE(refused([](RegionInfo& i) { i.bytes = 0; }));
}

}  // namespace
}  // namespace krg::mm

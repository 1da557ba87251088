// Goal    a node's copy of a region of release consistency: a store is in one diff, none is lost,
//         none of others is undone.
// Method  a region without tasks; its memory is written here as a task would.
#include "region_copy.h"

#include <gtest/gtest.h>

#include <cstring>

namespace krg::mm {
namespace {

constexpr Page kCopied{3};

class RegionCopyTest : public testing::Test {
 protected:
  RegionCopyTest() {
    RegionInfo info;
    info.set = kddm::SetId{2000};
    info.bytes = info.capacity = 16 * kPageBytes;
    info.consistency = Consistency::release;
    info.name = "copy";
    region_ = std::move(*Region::make(reactor_, std::move(info)));
    bring(kCopied);
  }
  // Zeros have come from the page's home.
  void bring(Page page) {
    EXPECT_TRUE(region_->refill(page));
    region_->grant(page, Access::read);
  }
  void store(std::size_t at, int value) { region_->address(kCopied)[at] = std::byte(value); }
  int load(std::size_t at) const { return static_cast<int>(region_->address(kCopied)[at]); }
  // What is captured now, applied to a page of zeros.
  std::vector<std::byte> captured() {
    copy_.capture(*region_, std::vector<Page>(1, kCopied));
    return taken();
  }
  std::vector<std::byte> taken() {
    std::vector<std::byte> page(kPageBytes);
    const Outgoing outgoing = copy_.take_outgoing();
    parts_ = outgoing.parts.size();
    Diffs diffs(outgoing.bytes);
    EXPECT_TRUE(diffs.is_right());
    Diffs::One one;
    while (diffs.next(one)) Diffs::apply(one, std::span(page).first<kPageBytes>());
    copy_.arrived_home(outgoing);
    return page;
  }

  const reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  std::unique_ptr<Region> region_;
  RegionCopy copy_{reactor_};
  std::size_t parts_ = 0;
};

TEST_F(RegionCopyTest, AStoreIsInTheNextDiffAndInNoOther) {
  copy_.begin_writing(*region_, kCopied, 1);
  EXPECT_EQ(region_->pages().access(kCopied), Access::write);
  store(100, 7);
  EXPECT_EQ(captured()[100], std::byte{7});
  store(200, 8);
  const auto second = captured();
  EXPECT_EQ(second[100], std::byte{0});
  EXPECT_EQ(second[200], std::byte{8});
  captured();
  EXPECT_EQ(parts_, 0u);
}

TEST_F(RegionCopyTest, APageThatNobodyWritesAnyMoreIsClosed) {
  copy_.begin_writing(*region_, kCopied, 1);
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(copy_.dirty().size(), 1u);
    captured();
  }
  EXPECT_TRUE(copy_.dirty().empty());
  EXPECT_EQ(region_->pages().access(kCopied), Access::read);
}

TEST_F(RegionCopyTest, APageThatNobodyAsksForIsToldOnce) {
  copy_.begin_writing(*region_, kCopied, 1);
  for (int i = 0; i < 2; ++i) {
    store(0, i + 1);
    captured();
    EXPECT_TRUE(copy_.take_quiet().empty());
  }
  EXPECT_FALSE(copy_.may_be_alone(*region_, kCopied));
  store(0, 9);
  captured();
  EXPECT_EQ(copy_.take_quiet(), std::vector<Page>(1, kCopied));
  EXPECT_TRUE(copy_.may_be_alone(*region_, kCopied));
  copy_.share(*region_, kCopied);
  EXPECT_FALSE(copy_.may_be_alone(*region_, kCopied));
}

TEST_F(RegionCopyTest, WhatIsOnItsWayHomeKeepsThePageFromBeingFetched) {
  copy_.begin_writing(*region_, kCopied, 1);
  store(5, 1);
  copy_.drop(*region_, {kCopied, 1});
  EXPECT_EQ(region_->pages().access(kCopied), Access::none);
  EXPECT_FALSE(copy_.is_missing(*region_, kCopied));
  EXPECT_EQ(taken()[5], std::byte{1});
  EXPECT_TRUE(copy_.is_missing(*region_, kCopied));
}

TEST_F(RegionCopyTest, AFetchOfWhatWasDroppedMeanwhileIsNotTaken) {
  copy_.drop(*region_, {kCopied, 1});
  copy_.begin_fetch(kCopied);
  EXPECT_FALSE(copy_.is_missing(*region_, kCopied));
  EXPECT_TRUE(copy_.end_fetch(kCopied));
  copy_.begin_fetch(kCopied);
  copy_.drop(*region_, {kCopied, 1});
  EXPECT_FALSE(copy_.end_fetch(kCopied));
  copy_.begin_fetch(kCopied);
  copy_.drop_fetches({Page{0}, 16});
  EXPECT_FALSE(copy_.end_fetch(kCopied));
}

TEST_F(RegionCopyTest, NewContentsLeaveWhatWasWrittenHereAndIsNotHome) {
  copy_.begin_writing(*region_, kCopied, 1);
  store(0, 1);
  std::array<std::byte, kPageBytes> others{};
  others[1] = others[800] = std::byte{2};
  copy_.renew(*region_, kCopied, others);
  EXPECT_EQ(load(0), 1);
  EXPECT_EQ(load(1), 2);
  EXPECT_EQ(load(800), 2);
  // It is not this node that has written these.
  const auto diff = captured();
  EXPECT_EQ(diff[0], std::byte{1});
  EXPECT_EQ(diff[1], std::byte{0});
  EXPECT_EQ(diff[800], std::byte{0});
}

TEST_F(RegionCopyTest, WhatNobodyUsesIsNotRenewedForEver) {
  std::vector<Page> stale;
  for (int i = 0; i < 8; ++i) {
    stale.clear();
    copy_.drop(*region_, {kCopied, 1}, &stale);
    ASSERT_EQ(stale, std::vector<Page>(1, kCopied));
    EXPECT_TRUE(copy_.end_fetch(kCopied));
  }
  stale.clear();
  copy_.drop(*region_, {kCopied, 1}, &stale);
  EXPECT_TRUE(stale.empty());
  EXPECT_EQ(region_->pages().access(kCopied), Access::none);
}

}  // namespace
}  // namespace krg::mm

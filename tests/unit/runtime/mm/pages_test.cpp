// Goal    no task is given more than its node has, and no fault is forgotten.
#include "krg/mm/pages.h"

#include <gtest/gtest.h>

#include <vector>

namespace krg::mm {
namespace {

using Answer = Pages::Answer;

constexpr Page kPage{7};
constexpr Seat kFirst{0}, kSecond{1};

class PagesTest : public ::testing::Test {
 protected:
  // Those who are let in.
  std::vector<Pages::Waiting> grant(Access access, std::uint32_t now_us = 0) {
    std::vector<Pages::Waiting> served;
    more_ = pages_.granted(kPage, access, now_us, served);
    return served;
  }

  Pages pages_{1000};
  bool more_ = false;
};

TEST_F(PagesTest, APageIsOpenToNobodyAtFirst) {
  EXPECT_EQ(pages_.access(kPage), Access::none);
  EXPECT_EQ(pages_.writer(kPage), kNobody);
  EXPECT_EQ(pages_.run(kPage, Access::read, 10), 0u);
  EXPECT_EQ(pages_.known(), 0u);
}

TEST_F(PagesTest, FaultsOnAPageWaitForOneFetch) {
  EXPECT_EQ(pages_.fault(kPage, {kFirst, false}), Answer::get);
  EXPECT_EQ(pages_.fault(kPage, {kSecond, false}), Answer::wait);
  EXPECT_TRUE(pages_.is_wanted(kPage));
  EXPECT_EQ(grant(Access::read).size(), 2u);
  EXPECT_FALSE(more_);
  EXPECT_FALSE(pages_.is_wanted(kPage));
  EXPECT_EQ(pages_.fault(kPage, {kSecond, false}), Answer::map);
}

TEST_F(PagesTest, AWriterWaitsOnWhenAReadCopyComes) {
  EXPECT_EQ(pages_.fault(kPage, {kFirst, false}), Answer::get);
  EXPECT_EQ(pages_.fault(kPage, {kSecond, true}), Answer::wait);
  const auto readers = grant(Access::read);
  ASSERT_EQ(readers.size(), 1u);
  EXPECT_EQ(readers[0].seat, kFirst);
  EXPECT_TRUE(more_);
  const auto writers = grant(Access::write);
  ASSERT_EQ(writers.size(), 1u);
  EXPECT_EQ(writers[0].seat, kSecond);
  EXPECT_FALSE(more_);
}

TEST_F(PagesTest, AStoreToAPageThatIsOpenToBeReadIsAFetch) {
  grant(Access::read);
  EXPECT_EQ(pages_.fault(kPage, {kFirst, true, true}), Answer::grab);
  EXPECT_EQ(pages_.fault(kPage, {kSecond, false}), Answer::map);
}

TEST_F(PagesTest, WhatIsTakenAwayIsAskedForAgain) {
  grant(Access::write);
  pages_.note_writer(kPage, kFirst);
  pages_.protect(kPage, 0);
  EXPECT_EQ(pages_.access(kPage), Access::read);
  EXPECT_EQ(pages_.writer(kPage), kNobody);
  pages_.protect(kPage, 0);  // Once more is nothing.
  pages_.vacate(kPage, 0);
  EXPECT_EQ(pages_.access(kPage), Access::none);
  EXPECT_EQ(pages_.fault(kPage, {kFirst, false}), Answer::get);
}

TEST_F(PagesTest, OfManyWritersNoneIsNamed) {
  grant(Access::write);
  pages_.note_writer(kPage, kFirst);
  pages_.note_writer(kPage, kFirst);
  EXPECT_EQ(pages_.writer(kPage), kFirst);
  pages_.note_writer(kPage, kSecond);
  EXPECT_EQ(pages_.writer(kPage), kAnybody);
  pages_.note_writer(kPage, kFirst);
  EXPECT_EQ(pages_.writer(kPage), kAnybody);
}

TEST_F(PagesTest, WhatAGrantBroughtIsNotLessThanBefore) {
  grant(Access::write);
  grant(Access::read);
  EXPECT_EQ(pages_.access(kPage), Access::write);
}

TEST_F(PagesTest, ATaskThatIsGoneWaitsForNothing) {
  EXPECT_EQ(pages_.fault(kPage, {kFirst, false}), Answer::get);
  pages_.forget(kFirst);
  EXPECT_FALSE(pages_.is_wanted(kPage));
  // Its fetch is still under way.
  EXPECT_EQ(pages_.fault(kPage, {kSecond, false}), Answer::wait);
  EXPECT_TRUE(pages_.is_wanted(kPage));
}

TEST_F(PagesTest, AFailedFetchGivesBackAllWhoWait) {
  EXPECT_EQ(pages_.fault(kPage, {kFirst, false}), Answer::get);
  EXPECT_EQ(pages_.fault(kPage, {kSecond, true}), Answer::wait);
  EXPECT_EQ(pages_.failed(kPage).size(), 2u);
  EXPECT_EQ(pages_.fault(kPage, {kFirst, false}), Answer::get);
}

TEST_F(PagesTest, ARunEndsWhereLessIsOpen) {
  std::vector<Pages::Waiting> served;
  for (std::uint64_t i = 510; i < 520; ++i) {
    pages_.granted(Page{i}, i == 515 ? Access::read : Access::write, 0, served);
  }
  EXPECT_EQ(pages_.run(Page{510}, Access::read, 64), 10u);
  EXPECT_EQ(pages_.run(Page{510}, Access::read, 4), 4u);
  EXPECT_EQ(pages_.run(Page{510}, Access::write, 64), 5u);
  pages_.granted(Page{999}, Access::read, 0, served);
  EXPECT_EQ(pages_.run(Page{999}, Access::read, 64), 1u);
}

TEST_F(PagesTest, APageThatIsTakenAtOnceAgainAndAgainIsHeld) {
  std::uint32_t now = 0xffffff00u;  // The clock goes round meanwhile.
  std::uint32_t longest = 0;
  for (int i = 0; i < 20; ++i) {
    grant(Access::write, now);
    longest = std::max(longest, pages_.hold_us(kPage));
    if (i < 2) {
      EXPECT_EQ(pages_.hold_us(kPage), 0u) << i;
    }
    pages_.vacate(kPage, now += 20);
  }
  EXPECT_EQ(longest, 400u);
  // Nobody takes it soon any more.
  for (int i = 0; i < 10; ++i) {
    grant(Access::write, now);
    pages_.vacate(kPage, now += 1000);
  }
  EXPECT_EQ(pages_.hold_us(kPage), 0u);
}

}  // namespace
}  // namespace krg::mm

// Goal    a meeting at its home: when a round is over, who was counted, what is said of the past.
#include "hall.h"

#include <gtest/gtest.h>

namespace krg::sync {
namespace {

constexpr NodeId kA{1}, kB{2};

Come::Request notice(NodeId node, std::uint64_t round, std::uint64_t sent, std::uint32_t count,
                     std::vector<std::uint64_t> words = {}) {
  Come::Request request;
  request.node = node;
  request.round = round;
  request.sent = sent;
  request.count = count;
  request.parties = 3;
  request.reduce = Reduce::sum;
  request.words = std::move(words);
  return request;
}

TEST(SyncHall, ARoundIsOverWhenAllHaveComeAndALaterNoticeStandsForAnEarlierOne) {
  Hall hall;
  EXPECT_TRUE(hall.come(notice(kA, 1, 1, 1, {5})).empty());
  EXPECT_TRUE(hall.come(notice(kA, 1, 2, 2, {7})).empty());
  EXPECT_TRUE(hall.come(notice(kA, 1, 1, 1, {5})).empty()) << "an old one changes nothing";
  const auto answers = hall.come(notice(kB, 1, 1, 1, {10}));
  ASSERT_EQ(answers.size(), 2u);
  for (const auto& [node, news] : answers) {
    EXPECT_TRUE(news.over);
    EXPECT_EQ(news.round, 1u);
    EXPECT_EQ(news.last, node == kB);
    EXPECT_EQ(news.sent, node == kA ? 2u : 1u);
    EXPECT_EQ(news.count, node == kA ? 2u : 1u);
    EXPECT_EQ(news.words, std::vector<std::uint64_t>{17});
  }
  EXPECT_EQ(hall.done(), 1u);
  EXPECT_TRUE(hall.empty());
}

TEST(SyncHall, WhatIsSentOnceMoreGetsTheSameAnswerAlsoARoundLater) {
  Hall hall;
  hall.come(notice(kA, 1, 4, 2, {1}));
  hall.come(notice(kB, 1, 1, 1, {1}));
  hall.come(notice(kB, 2, 2, 3, {1}));
  ASSERT_EQ(hall.done(), 2u);
  const auto again = hall.come(notice(kA, 1, 5, 2, {1}));
  ASSERT_EQ(again.size(), 1u);
  EXPECT_TRUE(again[0].second.over);
  EXPECT_EQ(again[0].second.sent, 4u);
  EXPECT_EQ(again[0].second.count, 2u);
  EXPECT_EQ(again[0].second.words, std::vector<std::uint64_t>{2});
  EXPECT_EQ(again[0].second.done, 2u);
}

TEST(SyncHall, WhoHasNotBeenCountedIsToldSo) {
  Hall hall;
  hall.come(notice(kB, 1, 1, 3));
  const auto late = hall.come(notice(kA, 1, 1, 1));
  ASSERT_EQ(late.size(), 1u);
  EXPECT_TRUE(late[0].second.over);
  EXPECT_EQ(late[0].second.sent, 0u);
  // By a home of an earlier view it was.
  Come::Request early = notice(kA, 1, 3, 1);
  early.before = 2;
  EXPECT_EQ(hall.come(early)[0].second.sent, 2u);
}

TEST(SyncHall, OfMoreThanAreToMeetTheLastOnesWait) {
  Hall hall;
  hall.come(notice(kA, 1, 1, 2));
  const auto answers = hall.come(notice(kB, 1, 1, 3));
  ASSERT_EQ(answers.size(), 2u);
  for (const auto& [node, news] : answers) EXPECT_EQ(news.count, node == kA ? 2u : 1u);
}

TEST(SyncHall, WhoKnowsNoRoundIsTold) {
  Hall hall;
  hall.learn(7, {3});
  hall.learn(6, {});
  const auto told = hall.come(notice(kA, 0, 1, 3));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_FALSE(told[0].second.over);
  EXPECT_EQ(told[0].second.round, 8u);
  EXPECT_EQ(hall.words(), std::vector<std::uint64_t>{3});
  EXPECT_TRUE(hall.empty()) << "it is not counted before it knows";
}

TEST(SyncHall, WhoIsAheadHasHeardOfAnEnd) {
  Hall hall;
  EXPECT_TRUE(hall.come(notice(kA, 5, 1, 2)).empty());
  EXPECT_EQ(hall.done(), 4u);
  EXPECT_EQ(hall.come(notice(kB, 5, 1, 1)).size(), 2u);
}

TEST(SyncHall, WhoLeavesIsToldThatTheRoundGoesOn) {
  Hall hall;
  hall.come(notice(kA, 1, 1, 1));
  Come::Request leaves = notice(kA, 1, 2, 0);
  leaves.ask = true;
  const auto answers = hall.come(leaves);
  ASSERT_EQ(answers.size(), 1u);
  EXPECT_FALSE(answers[0].second.over);
  EXPECT_EQ(answers[0].second.sent, 2u);
  EXPECT_TRUE(hall.empty());
}

TEST(SyncReduce, EachWordByItself) {
  const auto real = [](double v) { return std::bit_cast<std::uint64_t>(v); };
  const auto whole = [](std::int64_t v) { return std::bit_cast<std::uint64_t>(v); };
  EXPECT_EQ(combine(Reduce::sum, whole(-3), whole(5)), whole(2));
  EXPECT_EQ(combine(Reduce::least, whole(-3), whole(5)), whole(-3));
  EXPECT_EQ(combine(Reduce::most, whole(-3), whole(5)), whole(5));
  EXPECT_EQ(combine(Reduce::sum_real, real(0.5), real(-2)), real(-1.5));
  EXPECT_EQ(combine(Reduce::least_real, real(0.5), real(-2)), real(-2));
  EXPECT_EQ(combine(Reduce::most_real, real(0.5), real(-2)), real(0.5));
  std::vector<std::uint64_t> sum = {1};
  combine_into(Reduce::sum, sum, {2, 3});
  EXPECT_EQ(sum, (std::vector<std::uint64_t>{3, 3}));
}

}  // namespace
}  // namespace krg::sync

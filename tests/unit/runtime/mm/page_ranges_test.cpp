// Goal    ranges of pages say of every page what a plain list of pages says.
#include "krg/mm_calls/page_ranges.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace krg::mm {
namespace {

constexpr std::uint64_t kRangePages = 40;

void expect_same(const PageRanges& ranges, const std::vector<bool>& plain) {
  ASSERT_TRUE(ranges.is_valid(kRangePages));
  for (std::uint64_t first = 0; first < kRangePages; ++first) {
    ASSERT_EQ(ranges.has(first), plain[first]) << first;
    std::uint64_t change = first;
    while (change < kRangePages && plain[change] == plain[first]) ++change;
    ASSERT_EQ(ranges.next_change(first, kRangePages), change);
    bool none = true, all = true;
    for (std::uint64_t end = first; end < kRangePages; ++end) {
      ASSERT_EQ(ranges.is_clear(first, end), none) << first << " " << end;
      ASSERT_EQ(ranges.is_set(first, end), all) << first << " " << end;
      none &= !plain[end];
      all &= plain[end];
    }
  }
}

TEST(PageRanges, SayWhatAListOfPagesSays) {
  std::mt19937 random(7);
  for (int round = 0; round < 50; ++round) {
    PageRanges ranges;
    std::vector<bool> plain(kRangePages);
    for (int step = 0; step < 30; ++step) {
      const std::uint64_t first = random() % kRangePages;
      const std::uint64_t end = first + random() % (kRangePages + 1 - first);
      const bool set = random() % 2 == 0;
      set ? ranges.set(first, end) : ranges.clear(first, end);
      for (std::uint64_t page = first; page < end; ++page) plain[page] = set;
      expect_same(ranges, plain);
    }
    const auto again = wire::decode<PageRanges>(wire::encode(ranges));
    ASSERT_TRUE(again && *again == ranges);
  }
}

TEST(PageRanges, WhatIsNoSuchListIsSeen) {
  const auto is_valid = [](std::vector<PageRanges::Range> list) {
    const auto ranges = wire::decode<PageRanges>(wire::encode(list));
    return ranges && ranges->is_valid(kRangePages);
  };
  EXPECT_TRUE(is_valid({}));
  EXPECT_TRUE(is_valid({{0, 1}, {2, kRangePages}}));
  EXPECT_FALSE(is_valid({{1, 1}}));
  EXPECT_FALSE(is_valid({{2, 1}}));
  EXPECT_FALSE(is_valid({{0, kRangePages + 1}}));
  EXPECT_FALSE(is_valid({{4, 5}, {0, 1}}));
  EXPECT_FALSE(is_valid({{0, 2}, {1, 5}}));
  EXPECT_FALSE(is_valid({{0, 2}, {2, 5}}));
  std::vector<PageRanges::Range> many;
  for (std::uint64_t i = 0; i <= PageRanges::kMost; ++i) many.push_back({2 * i, 2 * i + 1});
  const auto ranges = wire::decode<PageRanges>(wire::encode(many));
  EXPECT_FALSE(ranges->is_valid(100'000));
}

}  // namespace
}  // namespace krg::mm

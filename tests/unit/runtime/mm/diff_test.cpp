// Goal    a diff brings to a page the bytes that were changed, all of them and no others; and what
//         is not diffs is told from them.
#include "krg/mm/diff.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <random>

namespace krg::mm {
namespace {

using Content = std::array<std::byte, kPageBytes>;

Content pattern(unsigned seed) {
  Content page;
  std::mt19937 random(seed);
  for (std::byte& byte : page) byte = static_cast<std::byte>(random());
  return page;
}

void apply_all(const std::vector<std::byte>& bytes, Content& page) {
  Diffs diffs(bytes);
  ASSERT_TRUE(diffs.is_right());
  Diffs::One one;
  while (diffs.next(one)) Diffs::apply(one, page);
}

TEST(MmDiff, OfEqualPagesIsNothing) {
  const Content page = pattern(1);
  std::vector<std::byte> bytes;
  EXPECT_FALSE(append_diff(Page{7}, page, page, bytes));
  EXPECT_TRUE(bytes.empty());
}

TEST(MmDiff, NamesItsPageAndHasOnlyTheWordsThatDiffer) {
  const Content twin = pattern(2);
  Content now = twin;
  now[100] ^= std::byte{1};
  std::vector<std::byte> bytes;
  ASSERT_TRUE(append_diff(Page{70000}, twin, now, bytes));
  EXPECT_EQ(bytes.size(), 16U + 4 + 9);
  Diffs diffs(bytes);
  ASSERT_TRUE(diffs.is_right());
  Diffs::One one;
  ASSERT_TRUE(diffs.next(one));
  EXPECT_EQ(one.page, Page{70000});
  EXPECT_FALSE(diffs.next(one));
}

TEST(MmDiff, LeavesOtherBytesOfAWordAsTheyAre) {
  const Content twin{};
  Content mine = twin, home = twin;
  mine[11] = std::byte{3};
  home[8] = std::byte{9};
  std::vector<std::byte> bytes;
  ASSERT_TRUE(append_diff(Page{0}, twin, mine, bytes));
  apply_all(bytes, home);
  EXPECT_EQ(home[8], std::byte{9});
  EXPECT_EQ(home[11], std::byte{3});
}

TEST(MmDiff, BringsAWrittenZero) {
  Content twin{};
  twin[5] = std::byte{1};
  const Content now{};
  std::vector<std::byte> bytes;
  ASSERT_TRUE(append_diff(Page{0}, twin, now, bytes));
  Content home = twin;
  apply_all(bytes, home);
  EXPECT_EQ(home, now);
}

// Two writers of bytes of their own; their diffs together are both, in any order and twice.
TEST(MmDiff, OfWritersOfOtherBytesComeTogether) {
  for (unsigned seed = 0; seed < 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937 random(seed);
    const Content twin = pattern(seed);
    Content first = twin, second = twin, both = twin;
    const unsigned stores = 1 + random() % 700;
    for (unsigned i = 0; i < stores; ++i) {
      const std::size_t at = random() % kPageBytes;
      const auto value = static_cast<std::byte>(random());
      (at % 3 == 0 ? first : second)[at] = value;
      both[at] = value;
    }
    std::vector<std::byte> of_first, of_second;
    append_diff(Page{1}, twin, first, of_first);
    append_diff(Page{1}, twin, second, of_second);
    Content home = twin;
    apply_all(of_second, home);
    apply_all(of_first, home);
    apply_all(of_second, home);
    EXPECT_EQ(home, both);
  }
}

TEST(MmDiff, OfAPageThatIsAllNewIsNotMuchMoreThanThePage) {
  const Content twin{};
  Content now;
  now.fill(std::byte{0xff});
  std::vector<std::byte> bytes;
  ASSERT_TRUE(append_diff(Page{0}, twin, now, bytes));
  EXPECT_EQ(bytes.size(), 16U + 4 + 512 * 9);
  Content home{};
  apply_all(bytes, home);
  EXPECT_EQ(home, now);
}

TEST(MmDiff, OfSeveralPagesFollowEachOther) {
  std::vector<std::byte> bytes;
  for (unsigned i = 0; i < 3; ++i) {
    ASSERT_TRUE(append_diff(Page{i * 5}, pattern(i), pattern(i + 10), bytes));
  }
  Diffs diffs(bytes);
  ASSERT_TRUE(diffs.is_right());
  Diffs::One one;
  for (unsigned i = 0; i < 3; ++i) {
    ASSERT_TRUE(diffs.next(one));
    EXPECT_EQ(one.page, Page{i * 5});
    Content page = pattern(i);
    Diffs::apply(one, page);
    EXPECT_EQ(page, pattern(i + 10));
  }
  EXPECT_FALSE(diffs.next(one));
}

TEST(MmDiff, CutShortIsNoDiff) {
  std::vector<std::byte> bytes;
  append_diff(Page{3}, pattern(1), pattern(2), bytes);
  EXPECT_TRUE(Diffs(bytes).is_right());
  for (std::size_t size = 1; size < bytes.size(); size += 7) {
    EXPECT_FALSE(Diffs(std::span(bytes).first(size)).is_right()) << size;
  }
}

TEST(MmDiff, BehindThePageIsNoDiff) {
  Content twin{}, now{};
  now[kPageBytes - 1] = std::byte{1};
  std::vector<std::byte> bytes;
  append_diff(Page{3}, twin, now, bytes);
  const std::uint16_t first = 512;
  std::memcpy(bytes.data() + 16, &first, sizeof first);
  EXPECT_FALSE(Diffs(bytes).is_right());
}

}  // namespace
}  // namespace krg::mm

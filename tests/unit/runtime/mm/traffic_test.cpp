// Goal    what a node counts of pages is what has happened, and the hottest come first.
#include "krg/mm/traffic.h"

#include <gtest/gtest.h>

namespace krg::mm {
namespace {

TEST(Traffic, TheHottestPagesComeFirst) {
  Traffic traffic;
  for (int i = 0; i < 3; ++i) {
    traffic.given(Page{5}, false);
    traffic.taken(Page{5});
  }
  traffic.given(Page{100'000}, true);
  traffic.given(Page{100'000}, true);
  for (int i = 0; i < 4; ++i) traffic.taken(Page{100'000});
  traffic.given(Page{9}, false);  // Never taken.
  traffic.taken(Page{6});
  const auto two = traffic.hottest(2);
  ASSERT_EQ(two.size(), 2u);
  EXPECT_EQ(two[0].page, 100'000u);
  EXPECT_EQ(two[0].writes, 2u);
  EXPECT_EQ(two[0].taken, 4u);
  EXPECT_EQ(two[1].page, 5u);
  EXPECT_EQ(two[1].reads, 3u);
  EXPECT_EQ(traffic.hottest(99).size(), 3u);
  EXPECT_EQ(traffic.reads(), 4u);
  EXPECT_EQ(traffic.writes(), 2u);
  EXPECT_EQ(traffic.lost(), 8u);
}

TEST(Traffic, KnowsWhatHasLainHere) {
  Traffic traffic;
  for (const std::uint64_t page : {700u, 3u, 512u, 511u, 90'000u}) traffic.placed(Page{page});
  traffic.given(Page{800}, true);
  const std::vector<Page> wanted = {Page{512}, Page{700}, Page{90'000}};
  EXPECT_EQ(traffic.placed_from(Page{512}), wanted);
  EXPECT_EQ(traffic.placed_from(Page{0}).size(), 5u);
  EXPECT_TRUE(traffic.placed_from(Page{90'001}).empty());
}

}  // namespace
}  // namespace krg::mm

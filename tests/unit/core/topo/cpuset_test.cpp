#include "krg/topo/cpuset.h"

#include <gtest/gtest.h>
#include <hwloc.h>

#include <random>
#include <set>

namespace krg::topo {
namespace {

CpuSet list(std::string_view text) {
  auto set = CpuSet::parse_list(text);
  EXPECT_TRUE(set) << text;
  return set ? *set : CpuSet{};
}

TEST(CpuSet, ReadsAndWritesTheKernelsList) {
  EXPECT_EQ(list("0-3,8").list(), "0-3,8");
  EXPECT_EQ(list("8,3,0-2, 1").list(), "0-3,8");
  EXPECT_EQ(list(" 64 - 66 \n").list(), "64-66");
  EXPECT_EQ(list("").list(), "");
  EXPECT_EQ(list("65535").last(), 65535u);
}

TEST(CpuSet, RefusesAListThatIsNotOne) {
  for (const char* text : {"a", "1-", "-1", "3-1", "1,,2", "1,", ",1", "1 2", "65536",
                           "99999999999999999999", "0x3", "1-2-3"}) {
    auto set = CpuSet::parse_list(text);
    ASSERT_FALSE(set) << text;
    EXPECT_EQ(set.error().code(), Errc::invalid_argument);
  }
}

TEST(CpuSet, RefusesABitmapThatIsNotOne) {
  for (const char* text : {"", "0xg", "0x1ffffffff", "0xf...f", "0xf...f,0x1", "1;2", ",0x1"}) {
    EXPECT_FALSE(CpuSet::parse_bitmap(text)) << text;
  }
  EXPECT_FALSE(CpuSet::parse_bitmap(std::string(100000, ',')));
}

TEST(CpuSet, WritesBitmapsLikeHwlocAndReadsThemBack) {
  std::mt19937 random(7);
  for (int round = 0; round < 500; ++round) {
    CpuSet set;
    hwloc_bitmap_t native = hwloc_bitmap_alloc();
    const int members = static_cast<int>(random() % 12);
    for (int i = 0; i < members; ++i) {
      const unsigned cpu = random() % (round % 2 == 0 ? 40 : 300);
      set.add(cpu);
      hwloc_bitmap_set(native, cpu);
    }
    char* text = nullptr;
    hwloc_bitmap_asprintf(&text, native);
    EXPECT_EQ(set.bitmap(), text);
    auto back = CpuSet::parse_bitmap(text);
    ASSERT_TRUE(back) << text;
    EXPECT_EQ(*back, set);
    free(text);
    hwloc_bitmap_list_asprintf(&text, native);
    EXPECT_EQ(set.list(), text);
    free(text);
    hwloc_bitmap_free(native);
  }
}

TEST(CpuSet, AgreesWithStdSetInEveryOperation) {
  std::mt19937 random(11);
  for (int round = 0; round < 300; ++round) {
    std::set<std::size_t> plain_a, plain_b;
    CpuSet a, b;
    for (int i = 0; i < 10; ++i) {
      const std::size_t x = random() % 200, y = random() % (round % 3 == 0 ? 50 : 200);
      plain_a.insert(x), a.add(x);
      plain_b.insert(y), b.add(y);
    }
    const std::size_t gone = *plain_a.begin();
    plain_a.erase(gone), a.remove(gone);

    bool intersects = false, contains = true;
    for (std::size_t cpu = 0; cpu < 200; ++cpu) {
      const bool in_a = plain_a.contains(cpu), in_b = plain_b.contains(cpu);
      EXPECT_EQ(a.has(cpu), in_a);
      EXPECT_EQ((a | b).has(cpu), in_a || in_b);
      EXPECT_EQ((a & b).has(cpu), in_a && in_b);
      EXPECT_EQ((a - b).has(cpu), in_a && !in_b);
      intersects |= in_a && in_b;
      contains &= in_a || !in_b;
    }
    EXPECT_EQ(a.intersects(b), intersects);
    EXPECT_EQ(a.contains(b), contains);
    EXPECT_EQ(a.count(), plain_a.size());
    EXPECT_EQ(a.last(), *plain_a.rbegin());
    EXPECT_EQ(a.members().size(), plain_a.size());
    EXPECT_EQ((a | b) - b - a, CpuSet{});
    EXPECT_TRUE((a - a).empty());
  }
}

TEST(CpuSet, OfNothingHasNoFirstMember) {
  EXPECT_EQ(CpuSet{}.first(), CpuSet::npos);
  EXPECT_EQ(CpuSet{}.last(), CpuSet::npos);
  EXPECT_EQ(CpuSet::single(3).next(4), CpuSet::npos);
  EXPECT_TRUE(CpuSet{}.empty());
}

}  // namespace
}  // namespace krg::topo

#include "krg/pmix/process_mapping.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <random>
#include <vector>

namespace krg::pmix {
namespace {

constexpr std::size_t kAnyLength = 1 << 20;

// What MPICH makes of the text: blocks in turn, and again from the first until all ranks have a
// host.
std::vector<std::uint32_t> read_by_mpich(const std::string& text, std::size_t ranks) {
  struct Block {
    unsigned first, hosts, each;
  };
  std::vector<Block> blocks;
  for (std::size_t at = text.find("(", 1); at != std::string::npos; at = text.find("(", at + 1)) {
    Block b{};
    if (std::sscanf(text.c_str() + at, "(%u,%u,%u)", &b.first, &b.hosts, &b.each) == 3) {
      blocks.push_back(b);
    }
  }
  std::vector<std::uint32_t> hosts;
  while (!blocks.empty() && hosts.size() < ranks) {
    for (const Block& b : blocks) {
      for (unsigned h = 0; h < b.hosts; ++h) {
        for (unsigned r = 0; r < b.each && hosts.size() < ranks; ++r) hosts.push_back(b.first + h);
      }
    }
  }
  return hosts;
}

TEST(ProcessMapping, EqualBlocksAreOneBlock) {
  EXPECT_EQ(process_mapping(std::vector<std::uint32_t>{0, 0, 1, 1, 2, 2}, kAnyLength),
            "(vector,(0,3,2))");
  EXPECT_EQ(process_mapping(std::vector<std::uint32_t>(64, 0), kAnyLength), "(vector,(0,1,64))");
  EXPECT_EQ(process_mapping(std::vector<std::uint32_t>{0}, kAnyLength), "(vector,(0,1,1))");
}

TEST(ProcessMapping, ACycleIsWrittenOnce) {
  EXPECT_EQ(process_mapping(std::vector<std::uint32_t>{0, 1, 2, 3, 0, 1, 2, 3, 0, 1}, kAnyLength),
            "(vector,(0,4,1))");
  EXPECT_EQ(process_mapping(std::vector<std::uint32_t>{0, 0, 1, 1, 0, 0, 1}, kAnyLength),
            "(vector,(0,2,2))");
}

TEST(ProcessMapping, AnUnevenEndIsItsOwnBlockOrACutOne) {
  const std::vector<std::uint32_t> hosts = {0, 0, 0, 1, 1};
  EXPECT_EQ(read_by_mpich(process_mapping(hosts, kAnyLength), hosts.size()), hosts);
}

TEST(ProcessMapping, ATextThatDoesNotFitIsEmpty) {
  std::mt19937 random(1);
  std::vector<std::uint32_t> hosts;
  for (int r = 0; r < 4000; ++r) hosts.push_back(random() % 13);
  EXPECT_EQ(process_mapping(hosts, 800), "");
  const std::string all = process_mapping(hosts, kAnyLength);
  EXPECT_EQ(process_mapping(hosts, all.size()), all);
  EXPECT_EQ(process_mapping(hosts, all.size() - 1), "");
}

// Goal    whatever the placement, the reader gets it back.
// Method  random placements with few and many hosts, runs and cycles; MPICH's reader as the oracle.
TEST(ProcessMapping, AnyPlacementIsReadBack) {
  std::mt19937 random(20261122);
  for (int round = 0; round < 3000; ++round) {
    const unsigned n = 1 + random() % 40, hosts_max = 1 + random() % 5, run_max = 1 + random() % 4;
    std::vector<std::uint32_t> pattern, hosts;
    while (pattern.size() < n) {
      const std::uint32_t host = random() % hosts_max;
      for (unsigned k = 1 + random() % run_max; k > 0; --k) pattern.push_back(host);
    }
    const unsigned repeats = 1 + random() % 4;
    for (unsigned k = 0; k < repeats; ++k)
      hosts.insert(hosts.end(), pattern.begin(), pattern.end());
    hosts.resize(hosts.size() - random() % pattern.size());
    ASSERT_EQ(read_by_mpich(process_mapping(hosts, kAnyLength), hosts.size()), hosts)
        << "round " << round;
  }
}

}  // namespace
}  // namespace krg::pmix

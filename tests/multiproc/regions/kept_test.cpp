// Goal    what was synced of a region of two copies survives its node, also pages that had been
//         moved to it; what was moved to a node and has one copy is lost with it, by name; a page
//         that no node has room for is SIGBUS in time.
// Method  three krgds in processes of their own; this process and its children are their tasks.
#include <functional>

#include "krgds.h"

namespace krg {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

// How `what` ends as a process of its own.
int end_of(const std::function<int()>& what) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGBUS, SIG_DFL);  // A library of libfabric's has a handler.
    ::_exit(what());
  }
  int how = -1;
  ::waitpid(child, &how, 0);
  return how;
}

bool is_right(int how) { return WIFEXITED(how) && WEXITSTATUS(how) == 0; }
bool is_sigbus(int how) { return WIFSIGNALED(how) && WTERMSIG(how) == SIGBUS; }

char value_of(std::size_t page) { return static_cast<char>(page % 127 + 1); }

class KeptPages : public Krgds {};

TEST_F(KeptPages, WhatWasSyncedSurvivesItsNodeAndIsNoOlderThanThat) {
  constexpr std::size_t kPages = 256;
  ASSERT_TRUE(Region::create("kept", kPages * 4096, RegionShape{.copies = 2}, gate(0)));
  ASSERT_TRUE(is_right(end_of([&] {
    auto region = Region::attach("kept", {.gate = gate(1)});
    if (!region) return 1;
    for (std::size_t page = 0; page < kPages; ++page) *at(*region, page) = 1;
    if (!region->sync()) return 2;
    // Written again, and synced again: the copies of before are not what is to be seen.
    for (std::size_t page = 0; page < kPages; ++page) *at(*region, page) = value_of(page);
    if (!region->sync()) return 3;
    // And without: this may be seen or not, but what was synced is not to go with it.
    for (std::size_t page = 0; page < kPages; page += 2) *(at(*region, page) + 1) = 9;
    return 0;
  })));
  kill_krgd(1);
  const auto region = Region::attach("kept", {.gate = gate(0)});
  ASSERT_TRUE(region) << region.error().message();
  for (std::size_t page = 0; page < kPages; ++page) {
    ASSERT_EQ(*at(*region, page), value_of(page)) << page;
  }
}

TEST_F(KeptPages, ASyncOfARegionOfOneCopyIsDoneAtOnce) {
  ASSERT_TRUE(Region::create("one", 4096, 0, gate(0)));
  EXPECT_FALSE(Region::create("nine", 4096, RegionShape{.copies = 9}, gate(0)));
  auto region = Region::attach("one", {.gate = gate(0)});
  ASSERT_TRUE(region);
  *at(*region, 0) = 1;
  EXPECT_TRUE(region->sync());
}

class TightNodes : public Krgds {
 protected:
  TightNodes() : Krgds({.budget = 8 * kMiB, .patience = std::chrono::seconds(2)}) {}
};

TEST_F(TightNodes, PagesThatWereMovedAreLostByNameOrSurviveByTheirSecondCopy) {
  constexpr std::size_t kPages = 12 * kMiB / 4096;
  ASSERT_TRUE(Region::create("single", kPages * 4096, 0, gate(0)));
  ASSERT_TRUE(is_right(end_of([&] {
    auto region = Region::attach("single", {.gate = gate(0)});
    if (!region) return 1;
    for (std::size_t page = 0; page < kPages; ++page) *at(*region, page) = value_of(page);
    return 0;
  })));
  kill_krgd(1);
  std::size_t lost = 0;
  // Without a look at each page: how each ends takes a process.
  for (std::size_t page = 0; page < kPages; page += 64) {
    const int how = end_of([&] {
      auto region = Region::attach("single", {.gate = gate(0)});
      return region && *at(*region, page) == value_of(page) ? 0 : 1;
    });
    ASSERT_TRUE(is_right(how) || is_sigbus(how)) << page;
    lost += is_sigbus(how) ? 1 : 0;
  }
  // Some 5 MiB of 12 had been moved, to two nodes in turn.
  EXPECT_GT(lost, 0u);
  EXPECT_LT(lost, kPages / 64 / 2);
  EXPECT_NE(logged().find("region single page "), std::string::npos) << logged();
}

TEST_F(TightNodes, WhatWasSyncedSurvivesThoughItsNodesAreFull) {
  constexpr std::size_t kPages = 7 * kMiB / 4096;
  ASSERT_TRUE(Region::create("double", kPages * 4096, RegionShape{.copies = 2}, gate(0)));
  ASSERT_TRUE(is_right(end_of([&] {
    auto region = Region::attach("double", {.gate = gate(0)});
    if (!region) return 1;
    for (std::size_t page = 0; page < kPages; ++page) {
      *at(*region, page) = value_of(page);
      if (page % 256 == 255 && !region->sync()) return 2;
    }
    return region->sync() ? 0 : 3;
  })));
  kill_krgd(1);
  const auto region = Region::attach("double", {.gate = gate(0)});
  ASSERT_TRUE(region) << region.error().message();
  for (std::size_t page = 0; page < kPages; ++page) {
    ASSERT_EQ(*at(*region, page), value_of(page)) << page;
  }
}

TEST_F(TightNodes, WhereNobodyHasRoomATaskGetsASignalInTimeAndLosesNothing) {
  constexpr std::size_t kPages = 40 * kMiB / 4096;
  ASSERT_TRUE(Region::create("huge", kPages * 4096, 0, gate(0)));
  const int how = end_of([&] {
    auto region = Region::attach("huge", {.gate = gate(0)});
    if (!region) return 1;
    for (std::size_t page = 0; page < kPages; ++page) *at(*region, page) = value_of(page);
    return 0;
  });
  EXPECT_TRUE(is_sigbus(how)) << how;
  EXPECT_NE(logged().find("no other node has room"), std::string::npos) << logged();
  EXPECT_NE(logged().find("region huge page "), std::string::npos) << logged();
  auto region = Region::attach("huge", {.gate = gate(2)});
  ASSERT_TRUE(region) << region.error().message();
  for (std::size_t page = 0; page < 12 * kMiB / 4096; page += 16) {
    ASSERT_EQ(*at(*region, page), value_of(page)) << page;
  }
}

}  // namespace
}  // namespace krg

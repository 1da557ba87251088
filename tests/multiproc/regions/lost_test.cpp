// Goal    a page that only a failed node had is SIGBUS for who touches it, with a message that
//         names region, page and node; the rest of the region goes on.
// Method  three krgds in processes of their own, over libfabric; this process is a task of node 0,
//         a child writes as a task of node 1, whose krgd is killed then.
#include "krgds.h"

namespace krg {
namespace {

class LostPages : public Krgds {};

void expect_sigbus(const volatile char* byte) {
  const pid_t victim = ::fork();
  if (victim == 0) {
    ::signal(SIGBUS, SIG_DFL);  // A library of libfabric's has a handler.
    ::_exit(*byte);
  }
  int how = -1;
  ::waitpid(victim, &how, 0);
  EXPECT_TRUE(WIFSIGNALED(how) && WTERMSIG(how) == SIGBUS) << how;
}

TEST_F(LostPages, AreSigbusAndTheRestGoesOn) {
  ASSERT_TRUE(Region::create("lost", 256 * 4096, 0, gate(0)));
  const pid_t writer = ::fork();
  if (writer == 0) {
    auto region = Region::attach("lost", {.gate = gate(1)});
    if (!region) ::_exit(1);
    for (std::size_t page = 0; page < 32; ++page) *at(*region, page) = static_cast<char>(page + 1);
    ::_exit(0);
  }
  int how = -1;
  ::waitpid(writer, &how, 0);
  ASSERT_TRUE(WIFEXITED(how) && WEXITSTATUS(how) == 0);
  auto region = Region::attach("lost", {.gate = gate(0)});
  ASSERT_TRUE(region) << region.error().message();
  // In no order: nothing is brought ahead.
  for (const std::size_t page : {9u, 3u, 6u, 0u}) {
    EXPECT_EQ(*at(*region, page), static_cast<char>(page + 1));
  }
  kill_krgd(1);
  // What this node has, and what nobody had.
  EXPECT_EQ(*at(*region, 3), 4);
  *at(*region, 3) = 99;
  EXPECT_EQ(*at(*region, 200), 0);
  expect_sigbus(at(*region, 20));
  EXPECT_NE(logged().find("region lost page 20 on node 0"), std::string::npos) << logged();
  EXPECT_EQ(*at(*region, 3), 99);
}

TEST_F(LostPages, ARegionIsAttachedAndHasItsSizeAfterWhoChangedItHasDied) {
  ASSERT_TRUE(Region::create("resized", 8 * 4096, RegionShape{.capacity = 64 * 4096}, gate(0)));
  ASSERT_TRUE(Region::create("plain", 8 * 4096, 0, gate(0)));
  const pid_t changer = ::fork();
  if (changer == 0) {
    auto region = Region::attach("resized", {.gate = gate(1)});
    const auto plain = Region::attach("plain", {.gate = gate(1)});
    ::_exit(region && plain && region->resize(32 * 4096) ? 0 : 1);
  }
  int how = -1;
  ::waitpid(changer, &how, 0);
  ASSERT_TRUE(WIFEXITED(how) && WEXITSTATUS(how) == 0);
  kill_krgd(1);
  const auto region = Region::attach("resized", {.gate = gate(0)});
  ASSERT_TRUE(region) << region.error().message();
  EXPECT_EQ(region->size(), 32u * 4096);
  *at(*region, 31) = 1;
  const auto plain = Region::attach("plain", {.gate = gate(2)});
  ASSERT_TRUE(plain) << plain.error().message();
  *at(*plain, 7) = 1;
}

RegionShape released_at(std::uint32_t node) {
  RegionShape shape;
  shape.placement = Placement::node;
  shape.node = node;
  shape.consistency = Consistency::release;
  return shape;
}

TEST_F(LostPages, WhatANodeHasReleasedOutlivesIt) {
  ASSERT_TRUE(Region::create("kept", 64 * 4096, released_at(0), gate(0)));
  int ready[2];
  ASSERT_EQ(::pipe(ready), 0);
  const pid_t writer = ::fork();
  if (writer == 0) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    auto region = Region::attach("kept", {.gate = gate(1)});
    if (!region) ::_exit(1);
    *at(*region, 1) = 5;
    *at(*region, 2) = 5;
    if (!region->release()) ::_exit(1);
    *at(*region, 2) = 6;
    *at(*region, 3) = 6;
    write_all(ready[1], {std::byte{1}});
    for (;;) ::pause();
  }
  ::close(ready[1]);
  ASSERT_FALSE(read_some(ready[0]).empty());
  ::close(ready[0]);
  auto region = Region::attach("kept", {.gate = gate(0)});
  ASSERT_TRUE(region) << region.error().message();
  EXPECT_EQ(*at(*region, 2), 5) << "what was not released is not seen, as a rule";
  kill_krgd(1);
  ::kill(writer, SIGKILL);
  ::waitpid(writer, nullptr, 0);
  ASSERT_TRUE(region->acquire());
  EXPECT_EQ(*at(*region, 1), 5);
  EXPECT_EQ(*at(*region, 2), 5);
  EXPECT_EQ(*at(*region, 3), 0);
  // It goes on between those that are left.
  auto other = Region::attach("kept", {.address = 0x100000000, .gate = gate(2)});
  ASSERT_TRUE(other) << other.error().message();
  *at(*other, 1) = 7;
  ASSERT_TRUE(other->release());
  ASSERT_TRUE(region->acquire());
  EXPECT_EQ(*at(*region, 1), 7);
}

TEST_F(LostPages, AtHomeOnADeadNodeAreSigbus) {
  ASSERT_TRUE(Region::create("homeless", 64 * 4096, released_at(1), gate(0)));
  auto region = Region::attach("homeless", {.gate = gate(0)});
  ASSERT_TRUE(region) << region.error().message();
  for (const std::size_t page : {20u, 3u, 9u}) *at(*region, page) = static_cast<char>(page);
  ASSERT_TRUE(region->release());
  const auto other = Region::attach("homeless", {.address = 0x100000000, .gate = gate(2)});
  ASSERT_TRUE(other) << other.error().message();
  EXPECT_EQ(*at(*other, 9), 9);
  kill_krgd(1);
  EXPECT_EQ(*at(*other, 9), 9) << "a copy stays until it is dropped";
  EXPECT_EQ(*at(*region, 9), 9);
  EXPECT_EQ(*at(*other, 40), 0) << "nobody has written it";
  *at(*region, 20) = 1;
  const Status released = region->release();
  ASSERT_FALSE(released);
  EXPECT_EQ(released.error().code(), Errc::lost) << released.error().message();
  expect_sigbus(at(*region, 20));
  EXPECT_NE(logged().find("region homeless page 20 on node 0"), std::string::npos) << logged();
  // What is not lost is released as before.
  *at(*region, 50) = 1;
  EXPECT_TRUE(region->release());
}

}  // namespace
}  // namespace krg

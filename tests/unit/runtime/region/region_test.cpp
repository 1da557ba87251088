// Goal    one node's tasks use regions as memory; every bad case ends with an error or a signal.
// Method  a krgd without a network in a process of its own; this process and its children are its
//         tasks.
#include "krg/region/region.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <thread>

#include "krg/region/bulk.h"
#include "krg/testing/quiet_fork.h"
#include "region_fixture.h"

namespace krg {
namespace {

TEST_F(RegionTest, MemoryIsZeroAtFirstAndKeepsWhatIsWritten) {
  const Region region = open("plain", 100'000);
  EXPECT_EQ(region.size(), 25u * 4096);  // Whole pages.
  EXPECT_EQ(*at(region, 0), 0);
  for (std::size_t i = 0; i < region.size(); i += 512) *at(region, i) = static_cast<char>(i / 512);
  for (std::size_t i = 0; i < region.size(); i += 512) {
    EXPECT_EQ(*at(region, i), static_cast<char>(i / 512));
  }
}

TEST_F(RegionTest, TwoTasksShareIt) {
  const Region region = open("two", 1 << 20);
  *at(region, 5000) = 1;
  expect_right([&] {
    const Region* const same = &region;  // The child has attached it anew.
    if (*at(*same, 5000) != 1) return 1;
    *at(*same, 5000) = 2;
    *at(*same, 900'000) = 3;
    return 0;
  });
  EXPECT_EQ(*at(region, 5000), 2);
  EXPECT_EQ(*at(region, 900'000), 3);
  *at(region, 5000) = 4;
}

TEST_F(RegionTest, ItStaysWhenNobodyHasIt) {
  std::byte* address = nullptr;
  {
    const Region region = open("stays", 8192);
    address = region.data();
    *at(region, 4096) = 7;
  }
  const Region again = open("stays", 8192);
  EXPECT_EQ(again.data(), address);
  EXPECT_EQ(*at(again, 4096), 7);
}

TEST_F(RegionTest, SystemCallsUseItsMemory) {
  const Region region = open("calls", 1 << 20);
  int pipe_fds[2];
  ASSERT_EQ(pipe(pipe_fds), 0);
  ASSERT_EQ(write(pipe_fds[1], "hello", 5), 5);
  if (!region.serves_system_calls()) {  // Where userfaultfd may not serve the kernel.
    EXPECT_EQ(read(pipe_fds[0], region.data() + 8190, 5), -1);
    EXPECT_EQ(errno, EFAULT);
    std::memset(region.data() + 8190, 0, 5);  // As a program would have to do first.
    *at(region, 40'000) = 0;
  }
  ASSERT_EQ(read(pipe_fds[0], region.data() + 8190, 5), 5);  // Over two pages nobody has touched.
  EXPECT_EQ(std::memcmp(region.data() + 8190, "hello", 5), 0);
  ASSERT_EQ(write(pipe_fds[1], region.data() + 40'000, 3), 3);
  char zeros[3] = {1, 1, 1};
  ASSERT_EQ(read(pipe_fds[0], zeros, 3), 3);
  EXPECT_EQ(zeros[0] | zeros[1] | zeros[2], 0);
  close(pipe_fds[0]);
  close(pipe_fds[1]);
}

TEST_F(RegionTest, WhoAttachedItToReadCanNotWrite) {
  {
    const Region region = open("readers", 8192);
    *at(region, 0) = 9;
  }
  auto region = Region::attach("readers", here(true));
  ASSERT_TRUE(region);
  EXPECT_EQ(*at(*region, 0), 9);
  expect_signal(SIGSEGV, [&] {
    *at(*region, 0) = 1;
    return 0;
  });
}

TEST_F(RegionTest, BadRequestsAreToldSo) {
  EXPECT_EQ(Region::attach("nobody", here()).error().code(), Errc::not_found);
  EXPECT_EQ(Region::destroy("nobody", gate_).error().code(), Errc::not_found);
  EXPECT_EQ(Region::create("", 4096, 0, gate_).error().code(), Errc::invalid_argument);
  EXPECT_EQ(Region::create("nothing", 0, 0, gate_).error().code(), Errc::too_large);
  EXPECT_EQ(Region::create("huge", (std::size_t{1} << 40) + 1, 0, gate_).error().code(),
            Errc::too_large);
  EXPECT_EQ(Region::create("odd", 4096, 12345, gate_).error().code(), Errc::invalid_argument);
  EXPECT_EQ(Region::attach("x", {.gate = folder_ + "/nobody"}).error().code(), Errc::not_found);
  ASSERT_TRUE(Region::create("once", 4096, 0, gate_));
  EXPECT_EQ(Region::create("once", 4096, 0, gate_).error().code(), Errc::already_exists);
  EXPECT_EQ(Region::open("once", 8192, here()).error().code(), Errc::invalid_argument);
}

TEST_F(RegionTest, AnAddressThatIsUsedIsRefused) {
  const Region region = open("first", 1 << 20);
  EXPECT_EQ(Region::attach("first", here()).error().code(), Errc::already_exists);
  void* const mine =
      mmap(nullptr, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_TRUE(Region::create("second", 8192, reinterpret_cast<std::uintptr_t>(mine), gate_));
  EXPECT_EQ(Region::attach("second", here()).error().code(), Errc::already_exists);
  munmap(mine, 8192);
  const auto second = Region::attach("second", here());
  ASSERT_TRUE(second);
  EXPECT_EQ(static_cast<void*>(second->data()), mine);
  // The same region twice in one process, at another address.
  RegionOptions elsewhere = here();
  elsewhere.address = reinterpret_cast<std::uintptr_t>(region.data()) + (std::uintptr_t{1} << 40);
  const auto twice = Region::attach("first", elsewhere);
  ASSERT_TRUE(twice);
  *at(region, 4096) = 5;
  EXPECT_EQ(*at(*twice, 4096), 5);
  *at(*twice, 4096) = 6;
  EXPECT_EQ(*at(region, 4096), 6);
}

TEST_F(RegionTest, ARegionOfTheLargestSizeIsUsedInParts) {
  const Region region = open("large", std::size_t{1} << 40);
  *at(region, (std::size_t{1} << 40) - 1) = 1;
  *at(region, std::size_t{1} << 39) = 2;
  EXPECT_EQ(*at(region, (std::size_t{1} << 40) - 1), 1);
}

TEST_F(RegionTest, WhoTouchesADestroyedRegionGetsSigbus) {
  const Region region = open("ends", 1 << 20);
  *at(region, 0) = 1;
  ASSERT_TRUE(Region::destroy("ends", gate_));
  expect_signal(SIGBUS, [&] { return *at(region, 0); });
  expect_signal(SIGBUS, [&] { return *at(region, 9 * 4096); });
  EXPECT_EQ(Region::attach("ends", here()).error().code(), Errc::not_found);
  // The name can be used again, for other memory.
  const Region other = open("ends", 1 << 20);
  EXPECT_NE(other.data(), region.data());
  EXPECT_EQ(*at(other, 0), 0);
}

TEST_F(RegionTest, WhenKrgdEndsTheTaskGetsSigbusAndDoesNotWait) {
  expect_signal(SIGBUS, [&] {
    const Region region = open("orphan", 1 << 20);
    *at(region, 0) = 1;
    kill(krgd_, SIGKILL);
    for (;;) {  // A page that it has, and pages that it has not.
      for (std::size_t i = 0; i < region.size(); i += 4096) *at(region, i) = 2;
      std::this_thread::sleep_for(1ms);
    }
    return 0;
  });
}

TEST_F(RegionTest, ATaskThatIsKilledInAFaultIsGoneAtOnce) {
  const Region region = open("killed", 1 << 20);
  int how = -1;
  const pid_t victim = testing::quiet_fork();
  if (victim == 0) {
    kill(krgd_, SIGSTOP);
    *at(region, 4096) = 1;
    ::_exit(0);
  }
  std::this_thread::sleep_for(200ms);
  kill(victim, SIGKILL);
  const auto begin = std::chrono::steady_clock::now();
  waitpid(victim, &how, 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, 1s);
  EXPECT_TRUE(WIFSIGNALED(how));
  kill(krgd_, SIGCONT);
  *at(region, 4096) = 3;
  EXPECT_EQ(*at(region, 4096), 3);
}

TEST_F(RegionTest, AChildOfAChildHasItToo) {
  const Region region = open("generations", 1 << 20);
  expect_right([&] {
    *at(region, 0) = 1;
    const int how = child([&] {
      if (*at(region, 0) != 1) return 1;
      *at(region, 0) = 2;
      return 0;
    });
    return WIFEXITED(how) && WEXITSTATUS(how) == 0 && *at(region, 0) == 2 ? 0 : 1;
  });
  EXPECT_EQ(*at(region, 0), 2);
}

TEST_F(RegionTest, ThreadsThatFaultOnOnePageAllGoOn) {
  const Region region = open("threads", 4 << 20);
  std::vector<std::thread> threads;
  for (int t = 0; t < 8; ++t) {
    threads.emplace_back([&region] {
      for (std::size_t i = 0; i < region.size(); i += 4096) {
        __atomic_fetch_add(reinterpret_cast<std::uint32_t*>(region.data() + i), 1,
                           __ATOMIC_SEQ_CST);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (std::size_t i = 0; i < region.size(); i += 4096) EXPECT_EQ(*at(region, i), 8);
}

TEST_F(RegionTest, ItGrowsAndShrinksAndWhatWasCutOffIsGone) {
  ASSERT_TRUE(Region::create("grows", 8 * 4096, RegionShape{.capacity = 64 * 4096}, gate_));
  auto region = Region::attach("grows", here());
  ASSERT_TRUE(region);
  EXPECT_EQ(region->size(), 8u * 4096);
  EXPECT_EQ(region->capacity(), 64u * 4096);
  for (std::size_t i = 0; i < 8; ++i) *at(*region, i * 4096) = 5;
  expect_signal(SIGBUS, [&] { return *at(*region, 8 * 4096); });
  ASSERT_TRUE(region->resize(64 * 4096));
  EXPECT_EQ(region->size(), 64u * 4096);
  *at(*region, 63 * 4096) = 9;
  ASSERT_TRUE(region->resize(4 * 4096));
  expect_signal(SIGBUS, [&] { return *at(*region, 4 * 4096); });
  expect_signal(SIGBUS, [&] { return store(*at(*region, 63 * 4096), 1); });
  EXPECT_EQ(*at(*region, 3 * 4096), 5);
  ASSERT_TRUE(region->resize(64 * 4096));
  EXPECT_EQ(*at(*region, 3 * 4096), 5);
  EXPECT_EQ(*at(*region, 4 * 4096), 0);
  EXPECT_EQ(*at(*region, 63 * 4096), 0);
  EXPECT_EQ(region->resize(65 * 4096).error().code(), Errc::too_large);
  EXPECT_EQ(region->resize(0).error().code(), Errc::invalid_argument);
}

TEST_F(RegionTest, WhatIsProtectedCanBeReadButNotWritten) {
  auto region = Region::open("protected", 1 << 20, here());
  ASSERT_TRUE(region);
  *at(*region, 0) = 1;
  ASSERT_TRUE(region->protect(Region::Rights::read_only));
  EXPECT_EQ(*at(*region, 0), 1);
  EXPECT_EQ(*at(*region, 8192), 0);
  expect_signal(SIGSEGV, [&] { return store(*at(*region, 0), 2); });
  expect_signal(SIGSEGV, [&] { return store(*at(*region, 40'960), 2); });
  EXPECT_EQ(fill(*region, 0, 4096, std::byte{1}).error().code(), Errc::denied);
  // Who attaches it now may not either.
  expect_signal(SIGSEGV, [&] {
    RegionOptions elsewhere = here();
    elsewhere.address =
        reinterpret_cast<std::uintptr_t>(region->data()) + (std::uintptr_t{1} << 40);
    const auto other = Region::attach("protected", elsewhere);
    if (!other || *at(*other, 0) != 1) ::_exit(1);
    return store(*at(*other, 0), 3);
  });
  ASSERT_TRUE(region->protect(Region::Rights::read_write));
  *at(*region, 0) = 4;
  *at(*region, 40'960) = 4;
  EXPECT_EQ(*at(*region, 0), 4);
}

TEST_F(RegionTest, AnotherTaskThatWritesWhileItIsProtectedGetsASignal) {
  auto region = Region::open("signals", 64 * 4096, here());
  ASSERT_TRUE(region);
  int how = -1;
  const pid_t writer = testing::quiet_fork();
  if (writer == 0) {
    ::signal(SIGSEGV, SIG_DFL);
    for (unsigned i = 0;; ++i) *at(*region, i % 64 * 4096) = static_cast<char>(i);
  }
  std::this_thread::sleep_for(50ms);
  ASSERT_TRUE(region->protect(Region::Rights::read_only));
  char before[64], after[64];
  for (std::size_t i = 0; i < 64; ++i) before[i] = *at(*region, i * 4096);
  for (int tries = 0; tries < 500 && waitpid(writer, &how, WNOHANG) == 0; ++tries) {
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_TRUE(WIFSIGNALED(how) && WTERMSIG(how) == SIGSEGV) << how;
  for (std::size_t i = 0; i < 64; ++i) after[i] = *at(*region, i * 4096);
  EXPECT_EQ(std::memcmp(before, after, 64), 0);
  kill(writer, SIGKILL);
}

TEST_F(RegionTest, BulkOperationsDoWhatLoadsAndStoresDo) {
  const Region from = open("from", 16 << 20), to = open("to", 16 << 20);
  constexpr std::size_t kBytes = (9 << 20) + 12'345;
  ASSERT_TRUE(fill(from, 777, kBytes, std::byte{7}));
  EXPECT_EQ(*at(from, 776), 0);
  EXPECT_EQ(*at(from, 777), 7);
  EXPECT_EQ(*at(from, 777 + kBytes - 1), 7);
  EXPECT_EQ(*at(from, 777 + kBytes), 0);
  ASSERT_TRUE(copy(to, 5'000'001, from, 777, kBytes));
  EXPECT_EQ(*at(to, 5'000'000), 0);
  EXPECT_EQ(std::memcmp(to.data() + 5'000'001, from.data() + 777, kBytes), 0);
  EXPECT_EQ(*at(to, 5'000'001 + kBytes), 0);
  ASSERT_TRUE(prefetch(to, 0, to.size()));
  for (const Advice advice :
       {Advice::owner, Advice::read_mostly, Advice::will_need, Advice::dont_need}) {
    ASSERT_TRUE(advise(to, 4096, 1 << 20, advice));
  }
  EXPECT_EQ(std::memcmp(to.data() + 5'000'001, from.data() + 777, kBytes), 0);
  EXPECT_EQ(fill(to, 4096, to.size(), std::byte{1}).error().code(), Errc::invalid_argument);
  EXPECT_EQ(prefetch(to, to.size() + 1, 1).error().code(), Errc::invalid_argument);
  EXPECT_EQ(prefetch(to, 1, ~std::size_t{0}).error().code(), Errc::invalid_argument);
  EXPECT_EQ(copy(to, 0, to, 4096, 8192).error().code(), Errc::invalid_argument);
  EXPECT_TRUE(copy(to, 0, to, 8192, 8192));
  EXPECT_TRUE(fill(to, to.size(), 0, std::byte{1}));
}

TEST_F(RegionTest, PlacementIsOfNodesThatThereAre) {
  for (const Placement placement : {Placement::block, Placement::cyclic, Placement::node}) {
    const std::string name = "placed" + std::to_string(static_cast<int>(placement));
    ASSERT_TRUE(Region::create(name, 1 << 20, RegionShape{.placement = placement}, gate_));
    const auto region = Region::attach(name, here());
    ASSERT_TRUE(region);
    for (std::size_t i = 0; i < region->size(); i += 4096) *at(*region, i) = 3;
    EXPECT_EQ(*at(*region, region->size() - 4096), 3);
  }
  const RegionShape nowhere{.placement = Placement::node, .node = 7};
  EXPECT_EQ(Region::create("nowhere", 4096, nowhere, gate_).error().code(), Errc::invalid_argument);
  const RegionShape unknown{.placement = static_cast<Placement>(9)};
  EXPECT_EQ(Region::create("unknown", 4096, unknown, gate_).error().code(), Errc::invalid_argument);
  const RegionShape small{.capacity = (std::size_t{1} << 40) + 4096};
  EXPECT_EQ(Region::create("toolarge", 4096, small, gate_).error().code(), Errc::too_large);
}

TEST_F(RegionTest, UnmappingDuringAFaultEndsTheFaultWithASignal) {
  expect_signal(SIGSEGV, [&] {
    auto region = Region::open("unmapped", 1 << 20, here());
    if (!region) return 1;
    kill(krgd_, SIGSTOP);
    std::thread unmapper([&] {
      std::this_thread::sleep_for(100ms);
      munmap(region->data(), region->size());
      kill(krgd_, SIGCONT);
    });
    *at(*region, 4096) = 1;  // When krgd comes to it nothing is there any more.
    unmapper.join();
    return 0;
  });
  const Region after = open("unmapped", 1 << 20);
  *at(after, 4096) = 2;
  EXPECT_EQ(*at(after, 4096), 2);
}

TEST_F(RegionTest, AThousandRegionsAtATime) {
  rlimit files{};
  getrlimit(RLIMIT_NOFILE, &files);
  const std::size_t count = files.rlim_cur < 4096 ? files.rlim_cur / 4 - 50 : 1000;
  std::vector<Region> regions;
  for (std::size_t i = 0; i < count; ++i) {
    auto region = Region::open("thousand" + std::to_string(i), 8192, here());
    ASSERT_TRUE(region) << i << ": " << region.error().message();
    regions.push_back(std::move(*region));
    *at(regions.back(), 4096) = static_cast<char>(i);
  }
  for (std::size_t i = 0; i < count; ++i) {
    EXPECT_EQ(*at(regions[i], 4096), static_cast<char>(i));
  }
}

}  // namespace
}  // namespace krg

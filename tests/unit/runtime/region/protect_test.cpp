// Goal    parts of a region are read-only for all tasks at once, and nothing else of it is.
// Method  a krgd in a process of its own; this process and its children are its tasks.
#include <cstring>

#include "krg/region/bulk.h"
#include "krg/testing/quiet_fork.h"
#include "region_fixture.h"

namespace krg {
namespace {

using Rights = Region::Rights;
using ProtectTest = RegionTest;

constexpr std::size_t kPage = 4096;

TEST_F(ProtectTest, APartIsReadOnlyAndTheRestIsNot) {
  Region region = open("part", 64 * kPage);
  for (std::size_t i = 0; i < 64; ++i) *at(region, i * kPage) = 1;
  // Some bytes of pages 10 to 19.
  ASSERT_TRUE(region.protect(10 * kPage + 5, 9 * kPage, Rights::read_only));
  for (std::size_t i = 0; i < 64; ++i) EXPECT_EQ(*at(region, i * kPage), 1);
  *at(region, 10 * kPage - 1) = 2;
  *at(region, 20 * kPage) = 2;
  expect_signal(SIGSEGV, [&] { return store(*at(region, 10 * kPage), 3); });
  expect_signal(SIGSEGV, [&] { return store(*at(region, 20 * kPage - 1), 3); });
  EXPECT_EQ(fill(region, 0, 11 * kPage, std::byte{1}).error().code(), Errc::denied);
  ASSERT_TRUE(region.protect(12 * kPage, kPage, Rights::read_write));
  *at(region, 12 * kPage) = 4;
  expect_signal(SIGSEGV, [&] { return store(*at(region, 11 * kPage), 3); });
  expect_signal(SIGSEGV, [&] { return store(*at(region, 13 * kPage), 3); });
  ASSERT_TRUE(region.protect(Rights::read_write));
  for (std::size_t i = 0; i < 64; ++i) *at(region, i * kPage) = 5;
  EXPECT_TRUE(region.protect(0, 0, Rights::read_only));
  *at(region, 0) = 6;
}

TEST_F(ProtectTest, WhoAttachesItLaterHasTheSameRights) {
  Region region = open("later", 64 * kPage);
  ASSERT_TRUE(region.protect(8 * kPage, 8 * kPage, Rights::read_only));
  RegionOptions elsewhere = here();
  elsewhere.address = reinterpret_cast<std::uintptr_t>(region.data()) + (std::uintptr_t{1} << 40);
  const auto other = Region::attach("later", elsewhere);
  ASSERT_TRUE(other);
  *at(*other, 7 * kPage) = 1;
  *at(*other, 16 * kPage) = 1;
  expect_signal(SIGSEGV, [&] { return store(*at(*other, 8 * kPage), 3); });
  expect_signal(SIGSEGV, [&] { return store(*at(*other, 15 * kPage), 3); });
}

TEST_F(ProtectTest, BadRangesAreToldSo) {
  Region region = open("bad", 1000 * kPage);
  const auto code = [](const Status& status) { return status.error().code(); };
  EXPECT_EQ(code(region.protect(1000 * kPage, 1, Rights::read_only)), Errc::invalid_argument);
  EXPECT_EQ(code(region.protect(1, ~std::size_t{0}, Rights::read_only)), Errc::invalid_argument);
  for (std::size_t i = 0; i < 200; ++i) {
    ASSERT_TRUE(region.protect(i * 2 * kPage, kPage, Rights::read_only)) << i;
  }
  EXPECT_EQ(code(region.protect(900 * kPage, kPage, Rights::read_only)), Errc::limit_reached);
  *at(region, 900 * kPage) = 1;  // Nothing has changed.
  *at(region, 201 * kPage) = 1;
  expect_signal(SIGSEGV, [&] { return store(*at(region, 398 * kPage), 3); });
}

TEST_F(ProtectTest, ATaskThatWritesAPartWhileItIsProtectedGetsASignalAndNoOtherDoes) {
  Region region = open("flight", 64 * kPage);
  const auto writer = [&](std::size_t first) {
    const pid_t pid = testing::quiet_fork();
    if (pid != 0) return pid;
    ::signal(SIGSEGV, SIG_DFL);
    for (unsigned i = 0;; ++i) *at(region, (first + i % 32) * kPage) = static_cast<char>(i);
  };
  const pid_t doomed = writer(0), safe = writer(32);
  std::this_thread::sleep_for(50ms);
  ASSERT_TRUE(region.protect(0, 32 * kPage, Rights::read_only));
  char before[32], after[32];
  for (std::size_t i = 0; i < 32; ++i) before[i] = *at(region, i * kPage);
  int how = -1;
  for (int tries = 0; tries < 500 && waitpid(doomed, &how, WNOHANG) == 0; ++tries) {
    std::this_thread::sleep_for(10ms);
  }
  EXPECT_TRUE(WIFSIGNALED(how) && WTERMSIG(how) == SIGSEGV) << how;
  for (std::size_t i = 0; i < 32; ++i) after[i] = *at(region, i * kPage);
  EXPECT_EQ(std::memcmp(before, after, 32), 0);
  EXPECT_EQ(waitpid(safe, &how, WNOHANG), 0);
  kill(safe, SIGKILL);
  waitpid(safe, nullptr, 0);
}

}  // namespace
}  // namespace krg

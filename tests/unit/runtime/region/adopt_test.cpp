// Goal    memory of a process becomes a region and memory again, with its contents; pages are
//         pinned and pushed; krgd alone serves a task's faults.
// Method  a krgd in a process of its own; this process and its children are its tasks.
#include "krg/region/adopt.h"

#include <sys/mman.h>
#include <sys/ptrace.h>

#include <cstring>
#include <filesystem>

#include "krg/region/bulk.h"
#include "krg/testing/quiet_fork.h"
#include "region_fixture.h"

namespace krg {
namespace {

constexpr std::size_t kPage = 4096;

class AdoptTest : public RegionTest {
 protected:
  // Pages of this process, that are unmapped at the end.
  explicit AdoptTest() : memory_(map(64)) {
    for (std::size_t i = 0; i < memory_.size(); ++i) memory_[i] = pattern(i);
  }
  ~AdoptTest() override { ::munmap(memory_.data(), memory_.size()); }

  static std::span<std::byte> map(std::size_t pages) {
    void* const at =
        ::mmap(nullptr, pages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    EXPECT_NE(at, MAP_FAILED);
    return {static_cast<std::byte*>(at), pages * kPage};
  }
  static std::byte pattern(std::size_t i) { return static_cast<std::byte>(i * 31 + i / 4096); }
  bool is_pattern() const {
    for (std::size_t i = 0; i < memory_.size(); ++i) {
      if (memory_[i] != pattern(i)) return false;
    }
    return true;
  }
  Errc code_of(std::span<std::byte> memory, const char* name = "bad") const {
    const auto region = Region::adopt(name, memory, gate_);
    return region ? Errc::ok : region.error().code();
  }

  std::span<std::byte> memory_;
};

TEST_F(AdoptTest, MemoryBecomesARegionWithItsContentsAndMemoryAgain) {
  {
    auto region = Region::adopt("adopted", memory_, gate_);
    ASSERT_TRUE(region) << region.error().message();
    EXPECT_EQ(region->data(), memory_.data());
    EXPECT_EQ(region->size(), memory_.size());
    EXPECT_TRUE(is_pattern());
    memory_[0] = std::byte{1};
    // A child has it at the same place.
    expect_right([&] {
      if (memory_[0] != std::byte{1} || memory_[5000] != pattern(5000)) return 1;
      memory_[5000] = std::byte{2};
      return 0;
    });
    EXPECT_EQ(memory_[5000], std::byte{2});
    memory_[5000] = pattern(5000);
    memory_[0] = pattern(0);
  }
  EXPECT_TRUE(is_pattern());
  memory_[0] = std::byte{7};
  RegionOptions elsewhere = here();
  elsewhere.address = reinterpret_cast<std::uintptr_t>(memory_.data()) - (std::uintptr_t{1} << 40);
  const auto region = Region::attach("adopted", elsewhere);
  ASSERT_TRUE(region) << region.error().message();
  EXPECT_EQ(region->data()[0], pattern(0));
  EXPECT_EQ(region->data()[4096], pattern(4096));
}

TEST_F(AdoptTest, AnotherTaskAttachesItOverWhatItHas) {
  int go[2];
  ASSERT_EQ(::pipe(go), 0);
  const pid_t other = testing::quiet_fork();  // With the same memory, of its own.
  if (other == 0) {
    char byte = 0;
    memory_[9] = std::byte{99};
    if (::read(go[0], &byte, 1) != 1) ::_exit(1);
    RegionOptions over = here();
    if (Region::attach("shared", over).error().code() != Errc::already_exists) ::_exit(2);
    over.replace = true;
    {
      const auto region = Region::attach("shared", over);
      if (!region || region->data() != memory_.data() || !is_pattern()) ::_exit(3);
      memory_[10'000] = std::byte{5};
    }
    ::_exit(memory_[10'000] == std::byte{5} && memory_[9] == pattern(9) ? 0 : 4);
  }
  const auto region = Region::adopt("shared", memory_, gate_);
  ASSERT_TRUE(region) << region.error().message();
  ASSERT_EQ(::write(go[1], "x", 1), 1);
  int how = -1;
  ::waitpid(other, &how, 0);
  EXPECT_TRUE(WIFEXITED(how) && WEXITSTATUS(how) == 0) << how;
  EXPECT_EQ(memory_[10'000], std::byte{5});
  ::close(go[0]);
  ::close(go[1]);
}

TEST_F(AdoptTest, WhatCanNotBeAdoptedStaysAsItIs) {
  EXPECT_EQ(code_of(memory_.subspan(1, kPage)), Errc::invalid_argument);
  EXPECT_EQ(code_of(memory_.first(100)), Errc::invalid_argument);
  EXPECT_EQ(code_of({}), Errc::invalid_argument);
  std::byte* const nobody = memory_.data() - (std::uintptr_t{1} << 40);
  EXPECT_EQ(code_of({nobody, kPage}), Errc::invalid_argument);
  ASSERT_EQ(::mprotect(memory_.data() + kPage, kPage, PROT_READ), 0);
  EXPECT_EQ(code_of(memory_), Errc::invalid_argument);
  ASSERT_EQ(::mprotect(memory_.data() + kPage, kPage, PROT_READ | PROT_WRITE), 0);
  const Region used = open("used", 4096);
  EXPECT_EQ(code_of(memory_, "used"), Errc::already_exists);
  EXPECT_EQ(code_of({used.data(), used.size()}), Errc::invalid_argument);
  EXPECT_TRUE(is_pattern());
  // What was left of it by the name that was there can be destroyed.
  ASSERT_TRUE(Region::destroy("used", gate_));
  ASSERT_TRUE(Region::destroy("used", gate_));
  EXPECT_EQ(code_of(memory_, "used"), Errc::ok);
}

// Where a thread's stack is a region, so are its return addresses and its own storage.
TEST_F(AdoptTest, AThreadAdoptsItsOwnStackAndGoesOn) {
  struct Work {
    const std::string& gate;
    std::span<std::byte> stack;
    int right = 0;
  } work{gate_, map(256)};
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  ASSERT_EQ(pthread_attr_setstack(&attributes, work.stack.data(), work.stack.size()), 0);
  const auto body = [](void* given) -> void* {
    Work& mine = *static_cast<Work*>(given);
    int numbers[3000];
    for (int i = 0; i < 3000; ++i) numbers[i] = i;
    {
      const auto region = Region::adopt("stack", mine.stack, mine.gate);
      for (int i = 0; i < 3000; ++i) mine.right += region && numbers[i] == i;
      for (int i = 0; i < 3000; ++i) numbers[i] = -i;
    }
    for (int i = 0; i < 3000; ++i) mine.right += numbers[i] == -i;
    return nullptr;
  };
  pthread_t thread;
  ASSERT_EQ(pthread_create(&thread, &attributes, body, &work), 0);
  pthread_join(thread, nullptr);
  pthread_attr_destroy(&attributes);
  EXPECT_EQ(work.right, 6000);
  ::munmap(work.stack.data(), work.stack.size());
}

TEST_F(AdoptTest, WhenKrgdEndsAdoptedMemoryIsSigbusAndNobodyWaits) {
  expect_signal(SIGBUS, [&] {
    const auto region = Region::adopt("orphan", memory_, gate_);
    if (!region) ::_exit(1);
    kill(krgd_, SIGKILL);
    for (;;) {
      for (std::size_t i = 0; i < memory_.size(); i += kPage) memory_[i] = std::byte{2};
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    return 0;
  });
}

TEST_F(AdoptTest, TheProgramsDataIsWhereItsVariablesAre) {
  static int number = 5;
  static char zeros[100];
  const std::span<std::byte> data = program_data();
  ASSERT_FALSE(data.empty());
  const auto is_inside = [&](const void* variable) {
    return variable >= data.data() && variable < data.data() + data.size();
  };
  EXPECT_TRUE(is_inside(&number));
  EXPECT_TRUE(is_inside(zeros));
}

TEST_F(AdoptTest, PinnedPagesStayAndEverythingElseGoesOn) {
  ASSERT_TRUE(Region::create("pins", 64 * kPage, RegionShape{.capacity = 64 * kPage}, gate_));
  auto region = Region::attach("pins", here());
  ASSERT_TRUE(region);
  *at(*region, 9 * kPage) = 1;
  ASSERT_TRUE(pin(*region, 8 * kPage, 16 * kPage, std::chrono::seconds(60)));
  ASSERT_TRUE(pin(*region, 8 * kPage, 4 * kPage, std::chrono::seconds(60)));
  EXPECT_EQ(*at(*region, 9 * kPage), 1);
  EXPECT_EQ(*at(*region, 10 * kPage), 0);
  for (const Advice advice :
       {Advice::owner, Advice::read_mostly, Advice::will_need, Advice::dont_need}) {
    ASSERT_TRUE(advise(*region, 0, 64 * kPage, advice));
  }
  expect_right([&] {
    *at(*region, 9 * kPage) = 2;
    return 0;
  });
  EXPECT_EQ(*at(*region, 9 * kPage), 2);
  ASSERT_TRUE(unpin(*region, 8 * kPage, 2 * kPage));
  ASSERT_TRUE(region->resize(12 * kPage));  // Over what is pinned.
  ASSERT_TRUE(region->resize(64 * kPage));
  EXPECT_EQ(*at(*region, 9 * kPage), 2);
  EXPECT_EQ(*at(*region, 15 * kPage), 0);
  const auto code = [](const Status& status) { return status.error().code(); };
  EXPECT_EQ(code(pin(*region, 0, kPage, std::chrono::seconds(601))), Errc::invalid_argument);
  EXPECT_EQ(code(pin(*region, 0, kPage, Duration(0))), Errc::invalid_argument);
  EXPECT_EQ(code(pin(*region, 64 * kPage, 1, std::chrono::seconds(1))), Errc::invalid_argument);
  ASSERT_TRUE(pin(*region, 0, 12 * kPage, std::chrono::seconds(60)));
  ASSERT_TRUE(Region::destroy("pins", gate_));
}

TEST_F(AdoptTest, PagesArePushedToNodesThatThereAre) {
  const Region region = open("push", 64 * kPage);
  *at(region, 5 * kPage) = 3;
  ASSERT_TRUE(push(region, 0, 64 * kPage, 0));
  ASSERT_TRUE(push(region, 0, 64 * kPage, 0, true));
  EXPECT_EQ(*at(region, 5 * kPage), 3);
  EXPECT_EQ(push(region, 0, kPage, 7).error().code(), Errc::invalid_argument);
  EXPECT_EQ(push(region, 1, 64 * kPage, 0).error().code(), Errc::invalid_argument);
}

// The thread that waits for krgd's end is the only one that krg has in a task.
TEST_F(AdoptTest, NothingOfATaskRunsWhenItFaults) {
  expect_right([&] {
    const Region region = open("stopped", 256 * kPage);
    std::vector<pid_t> others;
    for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
      const pid_t thread = std::stoi(entry.path().filename());
      if (thread != ::getpid()) others.push_back(thread);
    }
    ::prctl(PR_SET_PTRACER, PR_SET_PTRACER_ANY);
    int stopped[2], done[2];
    if (others.empty() || ::pipe(stopped) != 0 || ::pipe(done) != 0) return 1;
    const pid_t tracer = testing::quiet_fork();
    if (tracer == 0) {
      char byte = 1;
      for (const pid_t thread : others) {
        if (::ptrace(PTRACE_SEIZE, thread, 0, 0) != 0) ::_exit(1);
        ::ptrace(PTRACE_INTERRUPT, thread, 0, 0);
        ::waitpid(thread, nullptr, __WALL);
      }
      static_cast<void>(!::write(stopped[1], &byte, 1));
      static_cast<void>(!::read(done[0], &byte, 1));
      ::_exit(0);  // They go on.
    }
    char byte = 0;
    if (::read(stopped[0], &byte, 1) != 1) return 2;
    for (std::size_t i = 0; i < 256; ++i) *at(region, i * kPage) = 1;
    static_cast<void>(!::write(done[1], &byte, 1));
    int how = -1;
    ::waitpid(tracer, &how, 0);
    return WIFEXITED(how) && WEXITSTATUS(how) == 0 ? 0 : 3;
  });
}

}  // namespace
}  // namespace krg

#include "krg/base/freed_memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <array>
#include <cstdlib>
#include <cstring>

// The sanitizer's allocator is not glibc's.
#if !defined(__SANITIZE_ADDRESS__)
namespace {

long faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

// Some large buffers that are there together, as those of a range are.
void use_and_free() {
  constexpr std::size_t kBytes = std::size_t{1} << 20;
  std::array<void*, 32> buffers{};
  for (void*& buffer : buffers) {
    buffer = std::malloc(kBytes);
    ASSERT_NE(buffer, nullptr);
    std::memset(buffer, 1, kBytes);
  }
  for (void* const buffer : buffers) std::free(buffer);
}

TEST(FreedMemory, IsUsedAgainWithoutFaults) {
  krg::keep_freed_memory(krg::kFreedMemoryKept);
  use_and_free();
  const long before = faults();
  use_and_free();
  EXPECT_LT(faults() - before, 64) << "of 8192 pages";
}

}  // namespace
#endif

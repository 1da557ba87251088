// What is promised about memory: at most 128 bytes an object and a directory entry, beside the
// object's bytes.
#include <gtest/gtest.h>

#include "many_objects.h"

namespace krg::kddm {
namespace {

constexpr double kMost = 128;

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kCounts = false;  // Their allocators count nothing for mallinfo2().
constexpr std::uint32_t kCount = 3'000;
#else
constexpr bool kCounts = true;
constexpr std::uint32_t kCount = 30'000;
#endif

// Longer than what a channel copies, too: such a copy's block is shared with it for a while.
class Memory : public ::testing::TestWithParam<std::uint64_t> {};

TEST_P(Memory, AnObjectInTheStoreCostsAtMost128Bytes) {
  const auto cost = make_many_objects(kCount, GetParam(), true);
  ASSERT_TRUE(cost) << cost.error().message();
  if (!kCounts) return;
  EXPECT_GT(cost->store, 99) << "slot, record and index";
  EXPECT_GT(cost->heap, 20) << "what krgd knows of it";
  EXPECT_LE(cost->copy(), kMost);
  EXPECT_GT(cost->entry, 100);
  EXPECT_LE(cost->entry, kMost);
}

TEST_P(Memory, AnObjectOnTheHeapCostsAtMost128Bytes) {
  const auto cost = make_many_objects(kCount, GetParam(), false);
  ASSERT_TRUE(cost) << cost.error().message();
  if (!kCounts) return;
  EXPECT_GT(cost->copy(), 100) << "an entry and a head";
  EXPECT_LE(cost->copy(), kMost);
  EXPECT_LE(cost->entry, kMost);
}

INSTANTIATE_TEST_SUITE_P(OfSize, Memory, ::testing::Values(0, 8, 64, 1000, 4096));

}  // namespace
}  // namespace krg::kddm

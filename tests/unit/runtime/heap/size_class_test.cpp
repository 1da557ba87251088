// Goal    a block holds what was asked for, and wastes little.
#include "krg/heap/size_class.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace krg::heap {
namespace {

TEST(SizeClass, HoldsWhatIsAskedForAndIsTheSmallestThatDoes) {
  for (std::size_t bytes = 1; bytes <= kSmallMax; ++bytes) {
    const unsigned c = class_of(bytes);
    ASSERT_LT(c, kClasses);
    ASSERT_GE(class_bytes(c), bytes);
    ASSERT_LT(c == 0 ? 0 : class_bytes(c - 1), bytes);
    ASSERT_LE(class_bytes(c), bytes + std::max<std::size_t>(bytes / 4, 16));
  }
}

TEST(SizeClass, EverySizeIsAMultipleOf16AndPowersOfTwoAreSizes) {
  for (unsigned c = 0; c < kClasses; ++c) EXPECT_EQ(class_bytes(c) % 16, 0u) << c;
  for (std::size_t bytes = 16; bytes <= kSmallMax; bytes *= 2) {
    EXPECT_EQ(class_bytes(class_of(bytes)), bytes);
  }
}

}  // namespace
}  // namespace krg::heap

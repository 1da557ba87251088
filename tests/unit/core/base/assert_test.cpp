#include "krg/base/assert.h"

#include <gtest/gtest.h>

namespace krg {
namespace {

TEST(Assert, AFailedConditionIsNamedWithItsPlaceAndEndsTheProcess) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  const int two = 2;
  EXPECT_DEATH(KRG_ASSERT(two == 3), "two == 3.*assert_test.cpp|assert_test.cpp.*two == 3");
}

TEST(Assert, ATrueConditionIsEvaluatedOnce) {
  int evaluated = 0;
  KRG_ASSERT(++evaluated == 1);
  EXPECT_EQ(evaluated, 1);
}

}  // namespace
}  // namespace krg

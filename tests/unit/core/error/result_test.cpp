#include "krg/error/result.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace krg {
namespace {

Result<int> half(int n) {
  if (n % 2 != 0) return Error(Errc::invalid_argument, "odd");
  return n / 2;
}
Result<int> quarter(int n) {
  KRG_TRY_ASSIGN(const int once, half(n));
  KRG_TRY_ASSIGN(const int twice, half(once));
  return twice;
}
Status check_quarter(int n) {
  KRG_TRY(quarter(n));
  return {};
}

TEST(Result, IsAValueOrAnError) {
  const Result<int> good = half(4);
  ASSERT_TRUE(good);
  EXPECT_EQ(*good, 2);
  const Result<int> bad = half(3);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code(), Errc::invalid_argument);
}

TEST(Result, TryPassesTheErrorOnAndTheValueThrough) {
  EXPECT_EQ(*quarter(8), 2);
  EXPECT_STREQ(quarter(6).error().what(), "odd");
  EXPECT_TRUE(check_quarter(8));
  EXPECT_EQ(check_quarter(6).error().code(), Errc::invalid_argument);
}

TEST(Result, CarriesWhatOnlyMoves) {
  Result<std::unique_ptr<std::string>> result = std::make_unique<std::string>("x");
  ASSERT_TRUE(result);
  const std::unique_ptr<std::string> taken = *std::move(result);
  EXPECT_EQ(*taken, "x");
}

TEST(Result, ValueOrReplacesAnError) {
  EXPECT_EQ(half(3).value_or(-1), -1);
  EXPECT_EQ(half(4).value_or(-1), 2);
}

TEST(Result, AStatusIsSuccessUnlessToldOtherwise) {
  EXPECT_TRUE(Status());
  const Status failed = Errc::cancelled;
  EXPECT_FALSE(failed);
  EXPECT_EQ(failed.error().code(), Errc::cancelled);
}

TEST(Result, TakingTheValueOfAnErrorIsABugOfOurs) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  Result<int> bad = half(3);
  EXPECT_DEATH(static_cast<void>(*bad), "has_value");
}

}  // namespace
}  // namespace krg

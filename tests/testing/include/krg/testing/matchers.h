// testing/matchers.h: ASSERT_OK and its kin.
//
// Model    each takes a Result<T> or a Status and shows the error's message when it fails.
// Threads  as GoogleTest's.
// Blocks   never.
// Source   tests/testing/README.md
#pragma once

#include <gtest/gtest.h>

#include "krg/error/result.h"

namespace krg::testing {

template <class T>
::testing::AssertionResult is_ok(const Result<T>& result) {
  if (result) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << "error: " << result.error().message();
}

template <class T>
::testing::AssertionResult is_error(const Result<T>& result, Errc code) {
  if (result) return ::testing::AssertionFailure() << "success, not: " << text(code);
  if (result.error() == code) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "error: " << result.error().message() << ", not: " << text(code);
}

}  // namespace krg::testing

#define ASSERT_OK(expression) ASSERT_TRUE(::krg::testing::is_ok(expression))
#define EXPECT_OK(expression) EXPECT_TRUE(::krg::testing::is_ok(expression))
#define ASSERT_ERROR(expression, code) ASSERT_TRUE(::krg::testing::is_error(expression, code))
#define EXPECT_ERROR(expression, code) EXPECT_TRUE(::krg::testing::is_error(expression, code))

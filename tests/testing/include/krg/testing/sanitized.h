// testing/sanitized.h: whether this is a build whose sanitizer makes all of it some ten times
// slower.
//
// Model    the address and the thread sanitizer, with gcc or clang; tests are smaller there.
// Threads  immutable.
// Blocks   never.
// Source   gcc, "Common Predefined Macros"; clang, "__has_feature"
#pragma once

// clang 14 has the macros of gcc not yet.
#ifdef __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define KRG_TESTING_SANITIZED 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define KRG_TESTING_SANITIZED 1
#endif

namespace krg::testing {

#ifdef KRG_TESTING_SANITIZED
inline constexpr bool kSanitized = true;
#else
inline constexpr bool kSanitized = false;
#endif

}  // namespace krg::testing

#undef KRG_TESTING_SANITIZED

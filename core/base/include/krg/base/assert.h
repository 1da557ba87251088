// base/assert.h: checks that mean "krg has a bug".
//
// Model    KRG_ASSERT stays on in every build; KRG_DASSERT only where NDEBUG is not set, for hot
//          loops. Bytes from the wire, a file, a user or the environment are checked and return an
//          Error; they are never asserted.
// Threads  safe.
// Blocks   never.
// Source   docs/decisions/0001-asserts-stay-on.md
#pragma once

namespace krg {

// Writes one line naming the condition and its place, then aborts.
[[noreturn]] void assert_failed(const char* condition, const char* file, int line) noexcept;

}  // namespace krg

#define KRG_ASSERT(condition)                               \
  do {                                                      \
    if (!(condition)) [[unlikely]]                          \
      ::krg::assert_failed(#condition, __FILE__, __LINE__); \
  } while (false)

#ifdef NDEBUG
#define KRG_DASSERT(condition) \
  do {                         \
  } while (false)
#else
#define KRG_DASSERT(condition) KRG_ASSERT(condition)
#endif

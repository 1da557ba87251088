// error/must.h: for small programs that can only end when something fails: examples, tests,
// benchmarks. Not for libraries.
//
// Model    the value, or the end of the program, exit code 1, with "WHAT: the error" on stderr.
// Threads  safe.
// Blocks   never.
// Source   none.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "krg/error/result.h"

namespace krg {

[[noreturn]] inline void end_with(const Error& error, const char* what) {
  std::fprintf(stderr, "%s: %s\n", what, error.message().c_str());
  std::exit(1);
}

template <class T>
T must(Result<T> result, const char* what) {
  if (!result) end_with(result.error(), what);
  return std::move(*result);
}

inline void must(const Status& status, const char* what) {
  if (!status) end_with(status.error(), what);
}

}  // namespace krg

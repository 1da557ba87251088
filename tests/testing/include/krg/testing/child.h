// testing/child.h: a test program that runs itself again as another process.
//
// Model    a ChildMode is a function with a name; main() calls it instead of the tests when the
// program is
//          started as `program --child NAME arguments...`.
// Threads  register during static initialisation only.
// Blocks   never.
// Source   posix_spawn(3)
#pragma once

#include <span>

namespace krg::testing {

class ChildMode {
 public:
  using Main = int (*)(std::span<char*> arguments);
  ChildMode(const char* name, Main main) noexcept;
};

}  // namespace krg::testing

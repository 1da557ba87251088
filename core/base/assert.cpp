#include "krg/base/assert.h"

#include <cstdio>
#include <cstdlib>

namespace krg {

void assert_failed(const char* condition, const char* file, int line) noexcept {
  std::fprintf(stderr, "krg: bug: %s does not hold at %s:%d\n", condition, file, line);
  std::abort();
}

}  // namespace krg

#include "krg/base/freed_memory.h"

#include <malloc.h>

#include <algorithm>
#include <climits>

namespace krg {
namespace {

constexpr int kFromHeapMax = 32 << 20;  // The most that glibc takes.

}  // namespace

void keep_freed_memory(std::size_t bytes) noexcept {
#ifdef M_TRIM_THRESHOLD
  mallopt(M_TRIM_THRESHOLD, static_cast<int>(std::min<std::size_t>(bytes, INT_MAX)));
  mallopt(M_MMAP_THRESHOLD, kFromHeapMax);
#else
  (void)bytes;
#endif
}

}  // namespace krg

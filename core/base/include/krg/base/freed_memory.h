// base/freed_memory.h: whether freed memory goes back to the kernel at once.
//
// Model    a daemon that gives a large buffer back and takes one of that size again soon pays for
//          each page twice: for its removal, and for a fault when it is touched next, which costs
//          more than to carry the page's data. So the allocator keeps some.
// Threads  to be called while there is one.
// Blocks   never.
// Source   glibc's mallopt(3)
#pragma once

#include <cstddef>

namespace krg {

// What krgd keeps for itself.
inline constexpr std::size_t kFreedMemoryKept = std::size_t{256} << 20;

// From now on up to `bytes` of freed memory at the heap's end stay with the process, and blocks of
// up to 32 MiB come from the heap. Where the allocator knows no such thing nothing changes.
void keep_freed_memory(std::size_t bytes) noexcept;

}  // namespace krg

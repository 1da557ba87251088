// reactor/frame_pool.h: memory for coroutine frames, so that a message costs no malloc.
//
// Model    per-thread free lists of size classes in steps of 64 bytes up to 2 KiB; bigger frames go
//          to operator new. A block is freed to the list of the thread that frees it.
// Threads  safe: every thread has its own lists.
// Blocks   never. Cost: a few instructions when the list is not empty.
// Source   docs/design/reactor.md, "Coroutines"
#pragma once

#include <cstddef>

namespace krg::reactor {

void* allocate_frame(std::size_t bytes);
void free_frame(void* frame, std::size_t bytes) noexcept;
// Frames that the calling thread has allocated and not freed: none at rest.
std::size_t frames_in_use() noexcept;

}  // namespace krg::reactor

// base/thread_id.h: the kernel's number of the calling thread, without a system call each time.
//
// Model    asked for once by each thread. A child of fork() has its parent's number until it calls
//          renew_thread_id().
// Threads  safe.
// Blocks   never.
// Source   gettid(2)
#pragma once

#include <sys/types.h>
#include <unistd.h>

namespace krg {

namespace detail {
inline constinit thread_local pid_t thread_id = 0;
}

inline pid_t this_thread() noexcept {
  if (detail::thread_id == 0) [[unlikely]]
    detail::thread_id = ::gettid();
  return detail::thread_id;
}

inline void renew_thread_id() noexcept { detail::thread_id = ::gettid(); }

}  // namespace krg

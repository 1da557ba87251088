// testing/quiet_fork.h: fork() of a process with threads that a sanitizer stands.
//
// Model    AddressSanitizer of gcc 12 does not lock its allocator for fork(): if another thread is
//          inside at that moment, the child waits for it for ever, at its first allocation. So the
//          child is made while all other threads sleep.
// Threads  any.
// Blocks   until the other threads sleep, or for 2 s.
// Source   -
#pragma once

#include <sys/types.h>

namespace krg::testing {

// As fork().
pid_t quiet_fork();

}  // namespace krg::testing

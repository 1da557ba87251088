// cpus.h: whether this machine has processors that nobody uses.
//
// Model    the kernel's count of threads that run or could run, beside that of the processors.
// Threads  safe.
// Blocks   never.
// Source   proc_loadavg(5)
#pragma once

namespace krg::reactor {

// Whether all threads that could run, the caller's too, have a processor each. False if that is not
// to be known. Cost: three system calls.
bool cpus_suffice() noexcept;

}  // namespace krg::reactor

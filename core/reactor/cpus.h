// cpus.h: whether this machine has processors that nobody uses.
//
// Model    the kernel's count of threads that run or could run, beside that of the processors.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   proc_loadavg(5)
#pragma once

#include "krg/base/unique_fd.h"

namespace krg::reactor {

// Whether all threads that could run, the caller's too, have a processor each. False if that is not
// to be known. `loadavg` is opened by the first call. Cost: one system call.
bool cpus_suffice(UniqueFd& loadavg) noexcept;

}  // namespace krg::reactor

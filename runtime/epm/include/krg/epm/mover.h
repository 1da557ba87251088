// epm/mover.h: a mover's life, from its first word to its end.
//
// Model    a process of its own for each task that is moved, on each node that it passes; see
//          port.h.
// Threads  one.
// Blocks   until the task has ended or gone, or the krgd is gone.
// Source   docs/design/epm.md, "Movers"
#pragma once

#include "krg/base/unique_fd.h"

namespace krg::epm {

// `port` leads to the krgd. Returns the exit code.
int run_mover(UniqueFd port);

}  // namespace krg::epm

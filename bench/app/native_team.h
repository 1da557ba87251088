// native_team.h: a team of threads in one process, the base of the programs in bench/app.
//
// Model    run_natively() runs one member in each of `size` threads; arrays are ordinary memory.
// Threads  as Team.
// Blocks   run_natively() until all members have returned.
// Source   std::barrier
#pragma once

#include <functional>

#include "team.h"

namespace krg::bench {

// Requires  size > 0.
void run_natively(unsigned size, const std::function<void(Team&)>& member);

}  // namespace krg::bench

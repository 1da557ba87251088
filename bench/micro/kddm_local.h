// A lease of an object that this node has already, there and back, beside bare locks of the same
// process.
#pragma once

#include "krg/harness/program.h"

namespace krg::bench {

// Targets: get 60 ns, grab 80 ns. In the last row krgd freezes what was read, beside a look at a
// line for each task.
void add_local_rows(harness::Program& program);

}  // namespace krg::bench

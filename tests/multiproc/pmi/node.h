// node.h: one node of the test launcher: a process with a process-management service and ranks.
//
// Model    does what the launcher tells it over the link, until it is told to finish.
// Threads  one, beside libpmix's.
// Blocks   run() does.
// Source   tests/multiproc/pmi/README.md
#pragma once

#include "krg/pmix/service.h"
#include "link.h"

namespace krg::pmix::testing {

// The exit code of the node's process.
int run_node(UniqueFd link, ServiceOptions options);

}  // namespace krg::pmix::testing

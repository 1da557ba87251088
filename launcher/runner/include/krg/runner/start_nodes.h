// runner/start_nodes.h: starts krgds that join a cluster which stands.
//
// Model    the cluster has said how; this process starts them, so that they hang on nobody.
// Threads  one; called once in a process.
// Blocks   until all are members or have failed.
// Source   docs/design/hotplug.md, "At the command line"
#pragma once

#include <chrono>

#include "krg/config/environment.h"
#include "krg/jobs/members.h"

namespace krg::runner {

// Says in each `why` what became of it. Those that are not members then end with this process,
// which must not destroy anything that would end the others: it ends by _exit().
void start_nodes(jobs::NodesAdded& nodes, const config::Environment& environment,
                 std::chrono::milliseconds patience);

}  // namespace krg::runner

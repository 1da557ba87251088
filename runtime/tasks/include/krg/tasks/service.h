// tasks/service.h: the tasks of one node, for the other nodes of its cluster.
//
// Model    serves messages.h over rpc from the node's Table.
// Threads  owned by the reactor's thread.
// Blocks   as Table does.
// Source   docs/design/capability.md, "Tasks by name"
#pragma once

#include "krg/rpc/rpc.h"
#include "krg/tasks/table.h"

namespace krg::tasks {

// Requires  `table` outlives what `rpc` serves.
void serve(rpc::Rpc& rpc, Table& table);

}  // namespace krg::tasks

// growth_operations.h: how many messages an operation takes in a cluster of some size.
//
// Model    each operation on some fresh objects, alone in the cluster; counted until nothing is
//          under way. Hops are its simulated time, in messages one after the other.
// Threads  one.
// Blocks   never; simulated time passes.
// Source   docs/design/kddm.md, "Messages"
#pragma once

#include <string>
#include <vector>

#include "krg/error/result.h"

namespace krg::bench {

struct OperationFigures {
  std::string name;
  double messages = 0;  // The mean; all nodes together.
  double hops = 0;      // Until the operation has returned.
};

// Errors  those of kddm::Kddm; timed_out; protocol_error
Result<std::vector<OperationFigures>> measure_operations(std::uint32_t nodes, bool whole);

}  // namespace krg::bench

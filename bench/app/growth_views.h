// growth_views.h: what a change of view costs a node in a cluster of some size.
//
// Model    of all objects only those are there that the measured node has, is home of or is heir
//          of, and those whose home is the node that leaves; the other nodes' work is as the
//          measured one's. The leaver has given away what it held, as one that drains does.
// Threads  one.
// Blocks   never; simulated time passes.
// Source   docs/design/kddm.md, "Failure" and "Service"
#pragma once

#include <cstdint>

#include "krg/error/result.h"

namespace krg::bench {

struct ViewFigures {
  // Messages about objects, and the processor's time, of the measured node.
  std::uint64_t sent = 0, received = 0;
  double cpu_s = 0;
  double simulated_s = 0;  // Until every wide node knows what all members hold.
};

struct ViewCosts {
  // What the measured node has: copies, directory entries, and objects it is the heir of.
  std::uint64_t held = 0, home = 0, heir = 0;
  ViewFigures empty;        // The same members again, and nothing held.
  ViewFigures leave;        // With the objects, a node less.
  std::uint64_t moved = 0;  // Objects of the whole cluster that have another home then.
};

// Errors  those of kddm::Kddm; timed_out; protocol_error  also if an object has got lost
Result<ViewCosts> measure_views(std::uint32_t nodes, std::uint64_t objects, bool whole);

}  // namespace krg::bench

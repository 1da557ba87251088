// detector/options.h: how often the detector asks, and how long it waits.
//
// Model    a value; the same on every node of a cluster.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/hotplug.md, "Defaults"
#pragma once

#include "krg/base/deadline.h"

namespace krg::detector {

struct Options {
  // Between two probes of one subject by one observer.
  Duration interval = std::chrono::milliseconds(500);
  // A subject whose last answered probe is older than this is accused. Several intervals, so that
  // lost datagrams do not add up to an accusation.
  Duration patience = std::chrono::milliseconds(3000);
  // A timer that fires later than this makes its observer's accusations of that turn void.
  Duration late = std::chrono::milliseconds(250);
  // A judge forgets a report that has not been repeated for this long. An observer repeats its
  // report with every interval.
  Duration memory = std::chrono::milliseconds(2000);
};

// From the moment a node is cut off until the last of its observers accuses it: its last answered
// probe may have been sent just then, and an observer looks once an interval.
constexpr Duration accused_within(const Options& o) { return o.patience + o.interval; }

}  // namespace krg::detector

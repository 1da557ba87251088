// hotplug/options.h: the times of membership, and its policy for two nodes.
//
// Model    values. A host that is cut off is out of the view after about timeout + period + lease:
//          3.9 s as given here. A service stops at most `lease` after its node has lost the
//          majority.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/hotplug.md, "Times"
#pragma once

#include <chrono>

#include "krg/agreement/log.h"
#include "krg/base/deadline.h"
#include "krg/detector/detector.h"

namespace krg::hotplug {

// Of two nodes there is no majority but both. coordinator_survives: the coordinator alone votes; it
// goes on without the other, and the other stops without it. no_failover: both vote; either stops
// without the other.
enum class TwoNodes : std::uint8_t { coordinator_survives, no_failover };

struct Options {
  detector::DetectorOptions detector;
  agreement::LogOptions log;
  Duration lease = std::chrono::milliseconds(1500);
  Duration renew = std::chrono::milliseconds(300);
  Duration prepare_limit = std::chrono::seconds(5);  // Of a change without a leaver.
  Duration drain_limit = std::chrono::seconds(30);   // Of one with.
  unsigned attempts = 3;                             // Of a join or a leave.
  unsigned voters = 5;                               // 1, 3 or 5.
  unsigned fan_out = 8;
  TwoNodes two_nodes = TwoNodes::coordinator_survives;
};

}  // namespace krg::hotplug

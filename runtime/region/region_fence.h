// region_fence.h: the regions of release consistency that a process has attached, and its way to
// krgd for them.
//
// Model    one fence for all regions of a process: release and acquire are a call to krgd each,
//          whatever the number of regions. A child of fork() begins with none.
// Threads  safe.
// Blocks   as krg/region/region.h; enter() the first time, while it connects.
// Source   docs/design/mm.md, "Release consistency"
#pragma once

#include <string>

#include "krg/error/result.h"
#include "krg/store/ids.h"

namespace krg {

// The region is attached by way of the krgd at `gate`; once more, if it has it twice.
// Errors  those of gate::Client::connect()
Status enter_fence(const std::string& gate, kddm::SetId set);
void leave_fence(const std::string& gate, kddm::SetId set) noexcept;

// Of one region. Requires  enter_fence().
// Errors  timed_out; peer_down; those of krgd: lost
Status release_region(const std::string& gate, kddm::SetId set);
Status acquire_region(const std::string& gate, kddm::SetId set);

}  // namespace krg

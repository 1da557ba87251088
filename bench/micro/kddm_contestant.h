// krg's side of the kddm benches: gets, grabs and removals of node 0 among some nodes.
#pragma once

#include <memory>

#include "krg/harness/contestant.h"
#include "krg/harness/settings.h"

namespace krg::bench {

// Jobs are of kddm_scenarios.h.
std::unique_ptr<harness::Contestant> kddm_contestant(const harness::Settings& settings,
                                                     unsigned nodes);
// What a hit is compared with: a coroutine that is awaited and suspends nothing.
harness::MakeContestant coroutine_contestant();

}  // namespace krg::bench

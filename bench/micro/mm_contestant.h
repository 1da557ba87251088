// Two tasks of two nodes that share a region: what a page fault costs.
#pragma once

#include <memory>
#include <string>

#include "krg/harness/contestant.h"
#include "krg/harness/settings.h"

namespace krg::bench {

// Job::detail: as baseline::page_fault() has it.
// `folder`: for the sockets of its krgds; the sides of a bench end without tidying up.
std::unique_ptr<harness::Contestant> mm_contestant(const harness::Settings& settings,
                                                   std::string folder);

}  // namespace krg::bench

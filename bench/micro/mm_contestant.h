// Two tasks of two nodes that share a region: what a page fault costs.
#pragma once

#include <memory>

#include "krg/harness/contestant.h"
#include "krg/harness/settings.h"

namespace krg::bench {

// Job::detail: as baseline::page_fault() has it.
std::unique_ptr<harness::Contestant> mm_contestant(const harness::Settings& settings);

}  // namespace krg::bench

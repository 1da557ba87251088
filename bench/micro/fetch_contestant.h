// krg's rpc as the base of the kddm benches: one call with a short request, and data in its reply.
#pragma once

#include <memory>

#include "krg/harness/contestant.h"
#include "krg/harness/settings.h"

namespace krg::bench {

// From node 0 to node 1 of `nodes`, which poll what they poll for kddm. Job::reply is the size.
std::unique_ptr<harness::Contestant> fetch_contestant(const harness::Settings& settings,
                                                      unsigned nodes);

}  // namespace krg::bench

// krg's side of the rpc benches: rpc over a real fabric in two processes, or over the simulation in
// one.
#pragma once

#include <memory>

#include "krg/harness/contestant.h"
#include "krg/harness/settings.h"

namespace krg::bench {

// The rpc of one process, in its adaptive reactor, as a krgd has it.
std::unique_ptr<harness::Contestant> rpc_contestant(const harness::Settings& settings);

// Two nodes of a simulation in this process: what rpc itself costs, without a wire.
std::unique_ptr<harness::Contestant> sim_rpc_contestant();
// The same simulation with bare messages of the fabric, echoed.
std::unique_ptr<harness::Contestant> sim_fabric_contestant();

}  // namespace krg::bench

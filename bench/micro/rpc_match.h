// The entrants of every rpc bench.
#pragma once

#include <string>

#include "krg/harness/program.h"

namespace krg::bench {

inline constexpr const char* kRpcBase =
    "the raw library on the same transport: UCX active messages and libfabric FI_EP_RDM messages, "
    "polled busily, without ids, deadlines or error handling; with --transport sim: bare messages "
    "of the simulated fabric, in processor time";

// Whom `settings` asks to be compared; the rows are the caller's.
harness::Match rpc_match(const harness::Settings& settings, std::size_t size_max);

}  // namespace krg::bench

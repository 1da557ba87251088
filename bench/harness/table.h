// harness/table.h: one match played by two processes, the samples in memory shared with the parent.
//
// Model    play() forks the client, which leads, and the server, which follows by a turn word: odd
// while a
//          run is on. The parent only watches: if one of the two fails or time is up, it ends both.
// Threads  owned by one thread.
// Blocks   play() until the match is over.
// Source   bench/harness/README.md
#pragma once

#include <cstddef>
#include <vector>

#include "krg/error/result.h"
#include "krg/harness/program.h"
#include "krg/harness/settings.h"
#include "report.h"

namespace krg::harness {

// series[row][entrant]; logs to stderr why a match failed.
// Errors  timed_out, system_error
Result<std::vector<std::vector<Series>>> play(const Match& match, const Settings& settings);

}  // namespace krg::harness

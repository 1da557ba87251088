// job.h: a job of another program, and what it says at its end.
//
// Model    a command of several processes is started and waited for; its output is read. It dies
//          with this process.
// Threads  one.
// Blocks   run_job() until the command has ended, at most for its patience.
// Source   bench/harness/README.md
#pragma once

#include <chrono>
#include <string>
#include <vector>

#include "krg/error/result.h"

namespace krg::bench {

using Command = std::vector<std::string>;

// What the command wrote to stdout; its errors go where ours go.
// Errors  system_error  it can not be started, or ended badly: stderr says what; timed_out  ended.
Result<std::string> run_job(const Command& command, std::chrono::seconds patience);

}  // namespace krg::bench

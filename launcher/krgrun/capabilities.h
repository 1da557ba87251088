// capabilities.h: what a line says of what krg may do with the job's tasks.
//
// Model    pure.
// Threads  safe.
// Blocks   never.
// Source   krgrun(1); docs/design/capability.md
#pragma once

#include <string>

#include "krg/cli/parse.h"
#include "krg/error/result.h"
#include "krg/krgrun/job.h"

namespace krg::krgrun {

// --capabilities, and --no-remote-memory, which is one of them less.
//
// Requires  the job has its programs.
// Errors    invalid_argument, with a complaint.
Status read_capabilities(const cli::Arguments& options, Job& job, std::string& complaint);

}  // namespace krg::krgrun

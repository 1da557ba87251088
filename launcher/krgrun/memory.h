// memory.h: what a line says of the memory that the cluster shares, and of what else krg may do.
//
// Model    pure.
// Threads  safe.
// Blocks   never.
// Source   krgrun(1)
#pragma once

#include <string>

#include "krg/cli/parse.h"
#include "krg/error/result.h"
#include "krg/krgrun/job.h"

namespace krg::krgrun {

// Requires  the job has its programs, and knows what cluster it is for.
// Errors    invalid_argument, with a complaint.
Status read_memory(const cli::Arguments& options, Job& job, std::string& complaint);

}  // namespace krg::krgrun

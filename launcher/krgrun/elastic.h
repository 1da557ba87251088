// elastic.h: whether a job grows, and how far: --elastic on a command line.
#pragma once

#include <cstdint>
#include <string>

#include "krg/cli/parse.h"
#include "krg/krgrun/job.h"

namespace krg::krgrun {

// Sets job.elastic from the options that hold for all programs.
// Requires  job.apps is complete.
// Errors    invalid_argument  with one line in `complaint`.
Status read_elastic(const cli::Arguments& options, Job& job, std::string& complaint);

}  // namespace krg::krgrun

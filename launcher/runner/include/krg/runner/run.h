// runner/run.h: runs what a command line of krgrun asks for.
//
// Model    gets a cluster (starts one, or attaches to a standing one), places the ranks on it,
//          hands the job to the krgd of the first node, and then carries output, input and signals
//          until the job has ended.
// Threads  called once, from the main thread, before there is another.
// Blocks   until the job has ended and nothing of it is left.
// Source   krgrun(1); docs/design/launch.md
#pragma once

#include <functional>
#include <string>

#include "krg/config/environment.h"
#include "krg/krgrun/job.h"
#include "krg/settings/settings.h"

namespace krg::runner {

// The exit code of krgrun. What went wrong has been said on stderr, in one line. `krgd` is what a
// copy of this process calls to be the krgd of a node inside this machine.
int run(const krgrun::Job& job, const config::Environment& environment, std::function<int()> krgd);

// Where the program krgd is: beside this program, or where the settings say; the same on every
// host.
std::string krgd_path(const settings::Settings& settings);

}  // namespace krg::runner

// krgd/krgd.h: a krgd, as the work of a process.
//
// Model    reads its part in the cluster from standard input, makes its folders, splits off the
//          guard, and serves its node until it is told to end or its launcher is gone. The program
//          krgd calls it; so does a copy of krgrun, which saves a node inside this machine the
//          execve and the loading of libraries (2.4 of 13 ms, 2-core virtual machine, 2026-11-25).
// Threads  called once, from the main thread, before there is another.
// Blocks   until this krgd ends.
// Source   krgd(8); docs/design/launch.md, "Starting krgd"
#pragma once

#include "krg/config/environment.h"

namespace krg::krgd {

// Does not return once it has begun to serve: then it ends the process. Returns the exit code of a
// krgd that could not begin.
int run(const config::Environment& environment);

}  // namespace krg::krgd

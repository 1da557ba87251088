// proc/title.h: what ps(1) shows of this process.
//
// Model    for a copy of a program that does another's work.
// Threads  call it while there is one.
// Blocks   never.
// Source   proc_pid_cmdline(5); prctl(2), PR_SET_NAME; setproctitle(3bsd)
#pragma once

#include <string>
#include <vector>

namespace krg::proc {

// Shows `words` as the command line, cut to the room that the true one and the environment have,
// and the last part of the first word's path as the name. The environment moves elsewhere.
//
// Requires  `argv` is that of main(), and nobody keeps pointers into it or into the environment.
void set_title(char** argv, const std::vector<std::string>& words);

}  // namespace krg::proc

// proc/descendants.h: who of the machine's processes come from this one.
//
// Model    a snapshot of /proc. With this process a subreaper (become_reaper), a descendant whose
// parent dies
//          becomes its child, so nothing that a task starts can leave the tree.
// Threads  safe.
// Blocks   for about 5 us a process of the machine.
// Source   proc_pid_stat(5); prctl(2), PR_SET_CHILD_SUBREAPER
#pragma once

#include <sys/types.h>

#include <vector>

#include "krg/error/result.h"

namespace krg::proc {

struct Descendant {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  // The child of this process that it comes from; pid itself if it is one.
  pid_t branch = 0;
  bool zombie = false;
};

// From now on orphaned descendants become children of this process.
// Errors  system_error
Status become_reaper();

// Every descendant of this process.
std::vector<Descendant> descendants();

}  // namespace krg::proc

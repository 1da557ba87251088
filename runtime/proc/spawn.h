// spawn.h: starts processes, many at once, without copying this one's memory.
//
// Model    a child runs in this process's memory until its execve, on a stack of its own. This
//          thread does not wait for that between one child and the next (posix_spawn does): the
//          children's execve, the dear part, then runs on all processors. It waits once, for all.
// Threads  any, one at a time: the children are those of the calling thread, and PR_SET_PDEATHSIG
//          kills them when that thread ends.
// Blocks   until every child has executed its program or failed.
// Source   clone(2); set_tid_address(2), "clear_child_tid": execve clears the word and wakes its
//          waiter
#pragma once

#include <sys/types.h>

#include <array>
#include <span>

#include "krg/error/result.h"
#include "krg/proc/task_spec.h"

namespace krg::proc {

struct SpawnOrder {
  const TaskSpec* spec = nullptr;
  // The standard descriptors; -1 = it is among spec->fds.
  std::array<int, 3> standard{-1, -1, -1};
  // Afterwards. Errors
  //   not_found         no such program, or no such working directory.
  //   denied            it may not be executed, or the directory not entered.
  //   invalid_argument  none of the processors exists, or a descriptor is not open.
  //   limit_reached     no process is left.
  //   system_error      anything else; native() is the errno.
  Result<pid_t> pid{Errc::cancelled};
};

// Starts every order, whatever becomes of the others.
//
// Cost  0.1 ms of this thread for each, and 0.2 ms of another processor.
void spawn(std::span<SpawnOrder> orders);

}  // namespace krg::proc

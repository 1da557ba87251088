// spawn.h: one process, started without copying this one's memory.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "krg/error/result.h"
#include "krg/proc/task_spec.h"

namespace krg::proc {

// The stack on which a child runs until it calls execve, in this process's memory. The parent is
// suspended meanwhile, so one serves all.
class SpawnStack {
 public:
  SpawnStack();
  SpawnStack(const SpawnStack&) = delete;
  SpawnStack& operator=(const SpawnStack&) = delete;
  ~SpawnStack();
  void* top() const noexcept;

 private:
  void* base_;
};

// Starts `spec` with the three standard descriptors given; -1 = it is among spec.fds.
//
// Cost    one clone(CLONE_VM | CLONE_VFORK) and an execve; about that of posix_spawn.
// Errors  not_found         no such program, or no such working directory.
//         denied            it may not be executed, or the directory not entered.
//         invalid_argument  none of the processors exists, or a descriptor is not open.
//         system_error      anything else; native() is the errno.
Result<pid_t> spawn(const TaskSpec& spec, const int (&standard)[3], const SpawnStack& stack);

}  // namespace krg::proc

// child.h: what a new process does in its parent's memory before it is another program.
//
// Model    a child prepares itself, then executes its program. Between clone(CLONE_VM) and execve
//          it may neither allocate nor lock, nor touch errno: all that it needs is in the Plan,
//          made before, and it only makes system calls.
// Threads  a Plan belongs to the child until execve has worked or `error` is set.
// Blocks   for one execve.
// Source   clone(2), execve(2)
#pragma once

#include <cstddef>
#include <cstdint>

#include "krg/proc/task_spec.h"

namespace krg::proc {

struct Plan {
  enum class Step { signals, descriptors, directory, processors, program };

  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* env = nullptr;
  char* const* shell_argv = nullptr;  // For a script without "#!", as execvp(3) does.
  const char* directory = nullptr;
  const unsigned long* cpus = nullptr;
  std::size_t cpus_bytes = 0;
  InheritedFd* fds = nullptr;
  std::size_t fd_count = 0;
  bool dies_with_parent = true;
  std::uint64_t signals = 0;  // Those that are handled or ignored here: bit n - 1 is signal n.
  int above = 0;              // No descriptor that the task is to have is at or above this.
  // Where it failed; written by the child.
  Step step = Step::signals;
  int error = 0;
};

// Everything before execve: signals, session, descriptors, directory, processors.
// Sets `step` and `error` and ends the process where that fails.
void prepare(Plan& plan) noexcept;

// Becomes the program, or sets `step` and `error` and ends. For clone(2).
int become(void* plan) noexcept;

}  // namespace krg::proc

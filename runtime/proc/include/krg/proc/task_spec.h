// proc/task_spec.h: what to start, and how it stands in the world.
//
// Model    a value. The task gets exactly the environment and the descriptors named here, a session
// of its own
//          (so that it can be killed with everything it starts, and so that the kernel's autogroups
//          share the cores among ranks and not between all ranks and everybody else), default
//          signal handlers and an empty signal mask.
// Threads  immutable.
// Blocks   never.
// Source   setsid(2), sched(7) "The autogroup feature", execve(2)
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace krg::proc {

// Descriptor `from` of this process becomes `to` of the task. Where `to` is 0, 1 or 2, the
// supervisor makes no pipe and does not read: the descriptor is the task's own affair.
struct InheritedFd {
  int from = -1;
  int to = -1;
};

enum class Input : std::uint8_t {
  none,  // /dev/null
  pipe,  // Supervisor::write_input
};

struct TaskSpec {
  // What is executed, searched in the PATH of `env` if it has no slash; "" = argv[0].
  std::string program{};
  // Not empty, unless there is a body.
  std::vector<std::string> argv{};
  // Instead of a program: what a copy of this process does, which then ends with what it returns.
  // It has the descriptors named here and no others; program, argv, env and cpus do not count.
  // Requires  this process has one thread.
  std::function<int()> body{};
  // "NAME=value", all of it.
  std::vector<std::string> env{};
  // "" = this process's.
  std::string working_directory{};
  // The kernel's numbers of the processors to run on; empty = those of this process.
  std::vector<std::uint32_t> cpus{};
  std::vector<InheritedFd> fds{};
  Input input = Input::none;
  // Tasks of one group end together: Supervisor::clear_group.
  std::uint32_t group = 0;
  // SIGKILL when this process dies. Without it the task must notice by itself.
  bool dies_with_parent = true;
};

}  // namespace krg::proc

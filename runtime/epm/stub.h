// stub.h: a process that runs the right program under the right pid, and has not begun to.
//
// Model    a pid name space of its own, whose first process does nothing but reap, gives the stub
//          the number that the task has always had; execve(2) of the same file gives it
//          /proc/self/exe and everything else that the kernel remembers of a program. It is held
//          at the end of execve, as the child of whoever made it. The end of the maker, or end(),
//          ends all of it.
// Threads  owned by one thread, the tracer.
// Blocks   about 1 ms, for clone(2) twice and execve(2).
// Source   docs/design/epm.md, "Rebuild"; pid_namespaces(7); clone3(2), set_tid
#pragma once

#include <sys/types.h>

#include "krg/base/unique_fd.h"
#include "krg/epm/image.h"
#include "tracee.h"

namespace krg::epm {

class Stub {
 public:
  Stub() = default;
  Stub(const Stub&) = delete;
  Stub& operator=(const Stub&) = delete;
  ~Stub() { end(); }

  // Descriptors from `first_fd` on are inherited.
  // Errors  denied  no name space may be made; not_found  no such program or directory;
  // system_error
  Status make(const Image& image, int first_fd);
  // The stub was reaped by somebody who waits for all children.
  void reaped() noexcept { pid_ = 0; }
  void end() noexcept;

  pid_t pid() const noexcept { return pid_; }

 private:
  Status make_namespace();
  Status execute(const Image& image, int first_fd);

  pid_t reaper_ = 0;
  pid_t pid_ = 0;
};

}  // namespace krg::epm

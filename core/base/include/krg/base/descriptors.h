// base/descriptors.h: descriptors of what is there already: of another descriptor, of a process.
//
// Model    each is closed on exec, and none is standard input, output or error. An empty one: there
//          is none, and errno says why.
// Threads  safe.
// Blocks   never.
// Source   fcntl(2), F_DUPFD_CLOEXEC; pidfd_open(2)
#pragma once

#include <sys/types.h>

#include "krg/base/unique_fd.h"

namespace krg {

UniqueFd duplicate(int fd) noexcept;
// Readable when the process has ended. Empty as well if `pid` names none.
UniqueFd open_process(pid_t pid) noexcept;

}  // namespace krg

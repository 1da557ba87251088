// proc/process.h: what the kernel says of a process of this machine.
//
// Model    a snapshot of /proc. A process is the same as long as its start is: numbers are used
//          again.
// Threads  safe.
// Blocks   for some microseconds a process.
// Source   proc_pid_stat(5), proc_pid_cmdline(5)
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "krg/error/result.h"

namespace krg::proc {

struct Process {
  pid_t pid = 0;
  pid_t parent = 0;
  pid_t session = 0;
  char state = '?';         // As ps(1) has it: R, S, D, T, Z ...
  std::uint64_t start = 0;  // Clock ticks after the machine's.
  std::uint64_t cpu_ms = 0;
  std::uint64_t resident_bytes = 0;
  std::uint32_t threads = 0;
  std::string name{};  // Of its program, up to 15 bytes.
};

std::optional<Process> read_process(pid_t pid);
// All of the machine that can be seen.
std::vector<Process> all_processes();

// Its arguments with blanks between them, without what can not be printed, up to `most` bytes; its
// name in brackets if it has none.
std::string command_of(const Process& process, std::size_t most);
// Whose it is; of one that has ended, root's.
uid_t owner_of(pid_t pid);

// Sends `number` to the very process, not to another one of its number.
// Errors  not_found  it has ended; denied; invalid_argument  no such signal.
Status send_signal(const Process& process, int number);

}  // namespace krg::proc

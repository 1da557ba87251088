// tracee.h: threads of another process, held by ptrace(2).
//
// Model    a thread is seized, stops, and is then read and changed; it goes on by cont() or
//          detach(). The tracer's death kills what it holds: nothing runs on with registers that
//          are not its own.
// Threads  all calls on a thread come from the one that seized it.
// Blocks   until the kernel has stopped the thread, at most for kStopTime: it may be in an
//          uninterruptible sleep.
// Source   ptrace(2), "Attaching and detaching", "Stopped states"
#pragma once

#include <sys/ptrace.h>
#include <sys/types.h>
#include <sys/user.h>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "krg/error/result.h"

namespace krg::epm {

using Registers = user_regs_struct;

inline constexpr std::chrono::seconds kStopTime{5};
inline constexpr std::uint64_t kAllSignals = ~std::uint64_t{0};

// How a stop looks in what waitpid(2) says.
constexpr int stop_event(int status) { return status >> 16; }
constexpr int stop_signal(int status) { return status >> 8 & 0xff; }
constexpr int kSyscallStop = 5 | 0x80;  // SIGTRAP

// Errors of all: peer_down  the thread has ended; timed_out; system_error  with errno.

// Waits for the thread's next stop.
Result<int> wait_stop(pid_t tid);
// Seizes the thread and stops it where it is. Signals that come meanwhile are delivered first.
// Errors  denied  another tracer has it, or it is not ours; would_block  it is stopped by a signal.
Status hold(pid_t tid);
// Stops a thread that is held already and runs. Errors: as hold().
Status stop(pid_t tid);
// A thread that a held one has made, and that is held thereby: waits for its first stop.
Status await_new(pid_t tid);
// Holds every thread of the process: in order, the leader first. On failure none is held.
Result<std::vector<pid_t>> hold_all(pid_t pid);
void let_go(const std::vector<pid_t>& tids) noexcept;

Status cont(pid_t tid, int signal = 0);
Result<Registers> registers(pid_t tid);
Status set_registers(pid_t tid, Registers registers);
Result<std::vector<std::byte>> extended(pid_t tid);
Status set_extended(pid_t tid, std::vector<std::byte> state);
Result<std::uint64_t> blocked(pid_t tid);
Status set_blocked(pid_t tid, std::uint64_t signals);

// The process's memory. Errors  system_error  not all of it is there.
Status read_memory(pid_t pid, std::uint64_t from, void* to, std::size_t bytes);
Status write_memory(pid_t pid, std::uint64_t to, const void* from, std::size_t bytes);

}  // namespace krg::epm

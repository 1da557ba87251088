#include "tracee.h"

#include <elf.h>
#include <sys/time.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <string>

#include "proc_files.h"

namespace krg::epm {
namespace {

constexpr std::size_t kExtendedMax = 64 * 1024;
constexpr long kOptions =
    PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;

Error failed(const char* what) {
  return errno == ESRCH ? Error(Errc::peer_down, "the process has ended")
                        : errno_error(Errc::system_error, what);
}

// ptrace(2) takes whatever the request wants as a pointer.
long request(int what, pid_t tid, std::uint64_t address, std::uint64_t data) {
  return ptrace(static_cast<__ptrace_request>(what), tid, address, data);
}
std::uint64_t at(void* pointer) { return reinterpret_cast<std::uint64_t>(pointer); }

}  // namespace

// Blocked, for a yielding processor comes back late where others want it; a timer interrupts the
// wait, again and again in case that it comes before the wait begins.
Result<int> wait_stop(pid_t tid) {
  struct sigaction wake {};
  wake.sa_handler = [](int) {};
  sigaction(SIGALRM, &wake, nullptr);
  constexpr timeval kSeconds{std::chrono::seconds(kStopTime).count(), 0};
  const itimerval patience{{0, 100'000}, kSeconds}, none{};
  setitimer(ITIMER_REAL, &patience, nullptr);
  int status = 0;
  const pid_t got = waitpid(tid, &status, __WALL);
  const int why = errno;
  setitimer(ITIMER_REAL, &none, nullptr);
  if (got == tid && WIFSTOPPED(status)) return status;
  if (got == tid) return Error(Errc::peer_down, "the process has ended");
  if (why == EINTR) return Error(Errc::timed_out, "a thread does not stop");
  errno = why;
  return failed("waiting for a thread");
}

Status stop(pid_t tid) {
  if (request(PTRACE_INTERRUPT, tid, 0, 0) != 0) return failed("stopping a thread");
  while (true) {
    KRG_TRY_ASSIGN(const int status, wait_stop(tid));
    if (stop_event(status) == PTRACE_EVENT_STOP) {
      if (stop_signal(status) == SIGTRAP) return {};
      return Error(Errc::would_block, "it is stopped by a signal");
    }
    // A signal was on its way: it comes first. An event of another kind just goes on.
    const int signal =
        stop_event(status) == 0 && stop_signal(status) != kSyscallStop ? stop_signal(status) : 0;
    KRG_TRY(cont(tid, signal));
  }
}

Status hold(pid_t tid) {
  if (request(PTRACE_SEIZE, tid, 0, kOptions) != 0) {
    return errno == EPERM ? Error(Errc::denied, "it may not be traced, or is traced already")
                          : failed("seizing a thread");
  }
  Status held = stop(tid);
  if (!held) (void)request(PTRACE_DETACH, tid, 0, 0);
  return held;
}

Status await_new(pid_t tid) {
  KRG_TRY_ASSIGN(const int status, wait_stop(tid));
  if (stop_event(status) != PTRACE_EVENT_STOP) {
    return Error(Errc::system_error, "a new thread did not stop");
  }
  return {};
}

Result<std::vector<pid_t>> hold_all(pid_t pid) {
  std::vector<pid_t> held;
  // Those that were not held yet may have started more.
  for (bool more = true; more;) {
    more = false;
    for (const pid_t tid : numbered(of(pid, "task"))) {
      if (std::find(held.begin(), held.end(), tid) != held.end()) continue;
      const Status one = hold(tid);
      if (!one && one.error() == Errc::peer_down && tid != pid) continue;  // It has just ended.
      if (!one) {
        let_go(held);
        return one.error();
      }
      held.push_back(tid);
      more = true;
    }
  }
  const auto leader = std::find(held.begin(), held.end(), pid);
  if (leader == held.end()) {
    let_go(held);
    return Error(Errc::not_found, "there is no such process");
  }
  std::rotate(held.begin(), leader, leader + 1);
  return held;
}

void let_go(const std::vector<pid_t>& tids) noexcept {
  for (const pid_t tid : tids) (void)request(PTRACE_DETACH, tid, 0, 0);
}

Status cont(pid_t tid, int signal) {
  if (request(PTRACE_CONT, tid, 0, static_cast<std::uint64_t>(signal)) != 0) {
    return failed("letting a thread go on");
  }
  return {};
}

Result<Registers> registers(pid_t tid) {
  Registers all{};
  iovec vector{&all, sizeof all};
  if (request(PTRACE_GETREGSET, tid, NT_PRSTATUS, at(&vector)) != 0) {
    return failed("reading registers");
  }
  return all;
}

Status set_registers(pid_t tid, Registers all) {
  iovec vector{&all, sizeof all};
  if (request(PTRACE_SETREGSET, tid, NT_PRSTATUS, at(&vector)) != 0) {
    return failed("setting registers");
  }
  return {};
}

Result<std::vector<std::byte>> extended(pid_t tid) {
  std::vector<std::byte> state(kExtendedMax);
  iovec vector{state.data(), state.size()};
  if (request(PTRACE_GETREGSET, tid, NT_X86_XSTATE, at(&vector)) != 0) {
    return failed("reading vector registers");
  }
  state.resize(vector.iov_len);
  return state;
}

Status set_extended(pid_t tid, std::vector<std::byte> state) {
  iovec vector{state.data(), state.size()};
  if (request(PTRACE_SETREGSET, tid, NT_X86_XSTATE, at(&vector)) != 0) {
    return failed("setting vector registers");
  }
  return {};
}

Result<std::uint64_t> blocked(pid_t tid) {
  std::uint64_t signals = 0;
  if (request(PTRACE_GETSIGMASK, tid, sizeof signals, at(&signals)) != 0) {
    return failed("reading a signal mask");
  }
  return signals;
}

Status set_blocked(pid_t tid, std::uint64_t signals) {
  if (request(PTRACE_SETSIGMASK, tid, sizeof signals, at(&signals)) != 0) {
    return failed("setting a signal mask");
  }
  return {};
}

Status read_memory(pid_t pid, std::uint64_t from, void* to, std::size_t bytes) {
  const iovec local{to, bytes}, remote{reinterpret_cast<void*>(from), bytes};
  if (process_vm_readv(pid, &local, 1, &remote, 1, 0) != static_cast<ssize_t>(bytes)) {
    return failed("reading the process's memory");
  }
  return {};
}

Status write_memory(pid_t pid, std::uint64_t to, const void* from, std::size_t bytes) {
  const iovec local{const_cast<void*>(from), bytes}, remote{reinterpret_cast<void*>(to), bytes};
  if (process_vm_writev(pid, &local, 1, &remote, 1, 0) != static_cast<ssize_t>(bytes)) {
    return failed("writing the process's memory");
  }
  return {};
}

}  // namespace krg::epm

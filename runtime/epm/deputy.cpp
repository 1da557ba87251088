#include "deputy.h"

#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>

namespace krg::epm {

Status Deputy::begin(Frozen& frozen) {
  KRG_TRY(frozen.empty());
  KRG_TRY_ASSIGN(registers_, registers(pid_));
  gadget_ = frozen.gadget();
  registers_.rip = gadget_;
  registers_.rax = SYS_pause;
  registers_.orig_rax = ~0ull;
  KRG_TRY(set_registers(pid_, registers_));
  KRG_TRY(set_blocked(pid_, 0));
  return cont(pid_);
}

void Deputy::look() {
  int status = 0;
  while (!gone_ && waitpid(pid_, &status, __WALL | WNOHANG) == pid_) {
    if (WIFSTOPPED(status)) {
      on_stop(status);
    } else {
      gone_ = true;
      events_.gone();
    }
  }
}

void Deputy::on_stop(int status) {
  if (!begun()) return;
  const int signal = stop_event(status) == 0 ? stop_signal(status) : 0;
  if (last_ && signal == *last_) {
    (void)cont(pid_, signal);
    return;
  }
  if (signal != 0 && signal != kSyscallStop && !last_) {
    SignalInfo info{};
    if (ptrace(PTRACE_GETSIGINFO, pid_, nullptr, info.data()) == 0) {
      std::int32_t code = 0;
      std::memcpy(&code, info.data() + 8, sizeof code);
      events_.signal(info, code == SI_TKILL);
    }
  }
  (void)cont(pid_);
}

void Deputy::end(int status) {
  if (gone_) return;
  if (!begun() || (WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL)) {
    kill(pid_, SIGKILL);
    return;
  }
  if (WIFSIGNALED(status)) {
    last_ = WTERMSIG(status);
    kill(pid_, *last_);
    return;
  }
  last_ = 0;  // Other signals are nobody's any more.
  if (!stop(pid_)) {
    kill(pid_, SIGKILL);
    return;
  }
  Registers last = registers_;
  last.rax = SYS_exit_group;
  last.rdi = static_cast<std::uint64_t>(WEXITSTATUS(status));
  (void)set_registers(pid_, last);
  (void)cont(pid_);
}

}  // namespace krg::epm

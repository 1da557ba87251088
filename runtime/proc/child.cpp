#include "child.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sys/prctl.h>

#include <csignal>
#include <cstdint>

#include "raw_syscall.h"

namespace krg::proc {
namespace {

// What rt_sigaction(2) takes on every architecture that has no restorer to give: all zero is
// SIG_DFL.
struct KernelSigaction {
  std::uint64_t words[4] = {};
};
constexpr std::size_t kKernelSigsetBytes = 8;

[[noreturn]] void give_up(Plan& plan, Plan::Step step, long result) noexcept {
  plan.step = step;
  plan.error = static_cast<int>(-result);
  while (true) raw_syscall(SYS_exit_group, 127);
}

// Handlers would run in the parent's memory; ignored signals would stay ignored in the task.
void reset_signals(std::uint64_t signals) noexcept {
  const KernelSigaction normal;
  for (int signal = 1; signals != 0; ++signal, signals >>= 1) {
    if ((signals & 1) == 0) continue;
    raw_syscall(SYS_rt_sigaction, signal, &normal, nullptr, kKernelSigsetBytes);
  }
}

void place_descriptors(Plan& plan) noexcept {
  // Whatever a library forgot to mark stays out of the task.
  raw_syscall(SYS_close_range, 3u, ~0u, static_cast<unsigned>(CLOSE_RANGE_CLOEXEC));
  // A source may stand where another one's target is: move those out of the way first.
  for (std::size_t i = 0; i < plan.fd_count; ++i) {
    InheritedFd& fd = plan.fds[i];
    if (fd.from >= plan.above) continue;
    const long moved = raw_syscall(SYS_fcntl, fd.from, F_DUPFD_CLOEXEC, plan.above);
    if (moved < 0) give_up(plan, Plan::Step::descriptors, moved);
    fd.from = static_cast<int>(moved);
  }
  for (std::size_t i = 0; i < plan.fd_count; ++i) {
    // The two differ now, so dup3 does what dup2 does.
    const long placed = raw_syscall(SYS_dup3, plan.fds[i].from, plan.fds[i].to, 0);
    if (placed < 0) give_up(plan, Plan::Step::descriptors, placed);
  }
}

}  // namespace

void prepare(Plan& plan) noexcept {
  reset_signals(plan.signals);
  raw_syscall(SYS_setsid);
  if (plan.dies_with_parent) raw_syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL);
  place_descriptors(plan);
  if (plan.directory != nullptr) {
    const long entered = raw_syscall(SYS_chdir, plan.directory);
    if (entered < 0) give_up(plan, Plan::Step::directory, entered);
  }
  if (plan.cpus != nullptr) {
    const long bound = raw_syscall(SYS_sched_setaffinity, 0, plan.cpus_bytes, plan.cpus);
    if (bound < 0) give_up(plan, Plan::Step::processors, bound);
  }
  const std::uint64_t none = 0;
  raw_syscall(SYS_rt_sigprocmask, SIG_SETMASK, &none, nullptr, kKernelSigsetBytes);
}

int become(void* argument) noexcept {
  Plan& plan = *static_cast<Plan*>(argument);
  prepare(plan);
  long executed = raw_syscall(SYS_execve, plan.program, plan.argv, plan.env);
  if (executed == -ENOEXEC) {
    executed = raw_syscall(SYS_execve, plan.shell_argv[0], plan.shell_argv, plan.env);
  }
  give_up(plan, Plan::Step::program, executed);
}

}  // namespace krg::proc

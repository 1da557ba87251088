#include "stub.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "krg/base/descriptors.h"

namespace krg::epm {
namespace {

// The first process of the name space: who it inherits from, it reaps.
[[noreturn]] void reap_for_ever() {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  close_range(0, ~0u, 0);
  prctl(PR_SET_NAME, "krg reaper");
  sigset_t all;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, nullptr);
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  while (true) {
    while (waitpid(-1, nullptr, WNOHANG) > 0) {
    }
    (void)sigwaitinfo(&child, nullptr);
  }
}

[[noreturn]] void become(const Image& image, int first_fd, int go) {
  char word = 0;
  if (read(go, &word, 1) != 1) _exit(1);
  // All but what is meant for the task; the stub itself uses none.
  close_range(0, static_cast<unsigned>(first_fd) - 1, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  setsid();
  if (chdir(image.directory.c_str()) != 0) _exit(126);
  umask(image.umask);
  char* const argv[] = {const_cast<char*>(image.program.c_str()), nullptr};
  char* const env[] = {nullptr};
  execve(image.program.c_str(), argv, env);
  _exit(127);
}

}  // namespace

Status Stub::make_namespace() {
  clone_args args{};
  args.flags = CLONE_NEWPID;
  args.exit_signal = SIGCHLD;
  const long reaper = syscall(SYS_clone3, &args, sizeof args);
  if (reaper < 0) return errno_error(Errc::denied, "a pid name space may not be made");
  if (reaper == 0) reap_for_ever();
  reaper_ = static_cast<pid_t>(reaper);
  const UniqueFd space = open_process(reaper_);
  if (!space || setns(space.get(), CLONE_NEWPID) != 0) {
    return errno_error(Errc::denied, "a pid name space may not be entered");
  }
  return {};
}

Status Stub::make(const Image& image, int first_fd) {
  if (access(image.program.c_str(), X_OK) != 0) {
    return errno_error(Errc::not_found, "the program is not there");
  }
  struct stat directory {};
  if (stat(image.directory.c_str(), &directory) != 0 || !S_ISDIR(directory.st_mode)) {
    return errno_error(Errc::not_found, "the working directory is not there");
  }
  KRG_TRY(make_namespace());
  return execute(image, first_fd);
}

Status Stub::execute(const Image& image, int first_fd) {
  int go[2];
  if (pipe2(go, O_CLOEXEC) != 0) return errno_error(Errc::limit_reached, "making a stub");
  const UniqueFd out(go[0]), in(go[1]);
  pid_t wanted = image.pid;
  clone_args args{};
  args.exit_signal = SIGCHLD;
  args.set_tid = reinterpret_cast<std::uint64_t>(&wanted);
  args.set_tid_size = 1;
  const long pid = syscall(SYS_clone3, &args, sizeof args);
  if (pid < 0) return errno_error(Errc::denied, "a process of that pid may not be made");
  if (pid == 0) become(image, first_fd, out.get());
  pid_ = static_cast<pid_t>(pid);
  constexpr long kOptions =
      PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  if (ptrace(PTRACE_SEIZE, pid_, nullptr, kOptions) != 0) {
    return errno_error(Errc::denied, "a stub may not be traced");
  }
  if (write(in.get(), "", 1) != 1) return errno_error(Errc::system_error, "starting a stub");
  KRG_TRY_ASSIGN(const int event, wait_stop(pid_));
  if (stop_event(event) != PTRACE_EVENT_EXEC) {
    return Error(Errc::system_error, "a stub did not execute the program");
  }
  if (ptrace(PTRACE_SYSCALL, pid_, nullptr, nullptr) != 0) {
    return errno_error(Errc::system_error, "running a stub");
  }
  KRG_TRY_ASSIGN(const int end, wait_stop(pid_));
  if (stop_signal(end) != kSyscallStop) {
    return Error(Errc::system_error, "a stub went past execve");
  }
  return {};
}

void Stub::end() noexcept {
  if (pid_ > 0) kill(pid_, SIGKILL);
  // Its end is that of all processes in the name space.
  if (reaper_ > 0) kill(reaper_, SIGKILL);
  for (const pid_t pid : {pid_, reaper_}) {
    if (pid > 0) (void)waitpid(pid, nullptr, __WALL);
  }
  pid_ = reaper_ = 0;
}

}  // namespace krg::epm

#include "krg/proc/guard.h"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <ctime>

#include "krg/proc/descendants.h"

namespace krg::proc {
namespace {

// So long a daemon that was told to end may take.
constexpr time_t kPatienceSeconds = 1;

// Ends as the daemon did, so that whoever started it sees the truth.
[[noreturn]] void end_like(int status) {
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    struct sigaction normal = {};
    normal.sa_handler = SIG_DFL;
    sigaction(number, &normal, nullptr);
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, number);
    prctl(PR_SET_DUMPABLE, 0);  // The daemon has written the core file, if any.
    raise(number);
    sigprocmask(SIG_UNBLOCK, &one, nullptr);
    _exit(128 + number);
  }
  _exit(WEXITSTATUS(status));
}

[[noreturn]] void stand_guard(pid_t daemon, const sigset_t& signals, const GuardOptions& options) {
  if (!options.hold_descriptors) close_range(0, ~0u, 0);
  int status = 0;
  timespec patience{};
  const timespec* limit = nullptr;  // None until the daemon has been told to end.
  while (true) {
    pid_t ended;
    bool gone = false;
    int one = 0;
    while ((ended = waitpid(-1, &one, WNOHANG)) > 0) {
      if (ended != daemon) continue;
      gone = true;
      status = one;
    }
    if (gone) break;
    const int signal = sigtimedwait(&signals, nullptr, limit);
    if (signal > 0 && signal != SIGCHLD) {
      kill(daemon, signal);
      patience = {kPatienceSeconds, 0};
      limit = &patience;
    } else if (signal < 0 && errno == EAGAIN) {
      kill(daemon, SIGKILL);  // Stopped, or stuck.
    }
  }
  kill_descendants();
  if (options.afterwards) options.afterwards();
  end_like(status);
}

}  // namespace

void kill_descendants() {
  // Who can not be killed (another user's by a set-uid program, or stuck in the kernel) is left
  // behind.
  constexpr int kRounds = 500;
  for (int round = 0; round < kRounds; ++round) {
    int status;
    pid_t ended;
    while ((ended = waitpid(-1, &status, WNOHANG)) > 0) {
    }
    // No children: no descendants either, for an orphan would have become one.
    if (ended < 0 && errno == ECHILD) return;
    // What they start between the look and the kill is found in the next round.
    for (const Descendant& one : descendants()) {
      if (!one.zombie) kill(one.pid, SIGKILL);
    }
    usleep(round < 20 ? 500 : 10'000);
  }
}

Status guard_this_process(const GuardOptions& options) {
  KRG_TRY(become_reaper());
  sigset_t signals, before;
  sigemptyset(&signals);
  for (const int s : {SIGCHLD, SIGTERM, SIGINT, SIGHUP}) sigaddset(&signals, s);
  sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t guard = getpid();
  const pid_t daemon = fork();
  if (daemon < 0) {
    sigprocmask(SIG_SETMASK, &before, nullptr);
    return errno_error(Errc::system_error, "starting the guard");
  }
  if (daemon > 0) stand_guard(daemon, signals, options);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  prctl(PR_SET_PDEATHSIG, options.guard_lost);
  if (getppid() != guard) raise(options.guard_lost);  // It died before the line above.
  return {};
}

}  // namespace krg::proc

// proc/guard.h: nothing that a daemon started outlives it.
//
// Model    guard_this_process() splits the process in two. The parent, the guard, holds no state
// and does
//          nothing but wait; the child goes on as the daemon. However the daemon ends, SIGKILL
//          included, the guard then kills everything that came from it and ends the same way. If
//          the guard is killed, the daemon is told by a signal.
// Threads  called while there is only one.
// Blocks   the call itself never returns in the guard.
// Source   prctl(2), PR_SET_CHILD_SUBREAPER and PR_SET_PDEATHSIG
#pragma once

#include <functional>

#include "krg/error/result.h"

namespace krg::proc {

struct GuardOptions {
  // The signal that tells the daemon that its guard was killed.
  int guard_lost = 15;
  // Whether the guard holds the descriptors that are open now. Whoever waits for the end of a pipe
  // then sees it when everything is cleaned up, and not before.
  bool hold_descriptors = true;
  // Runs in the guard when the daemon and all that came from it are gone: to remove files, say.
  std::function<void()> afterwards = {};
};

// Returns in the daemon only. SIGTERM, SIGINT and SIGHUP to the guard are passed on to the daemon,
// which is killed if it has not ended a second later.
// Errors  system_error  no guard; the process goes on as it was.
Status guard_this_process(const GuardOptions& options);

// Kills every descendant of this process and waits until none is left.
void kill_descendants();

}  // namespace krg::proc

// baseline/ping_pong.h: pairs of processes that play ping-pong, each in a reactor that waits in a
// given way, perhaps beside processes that compute.
//
// Model    every pair is two processes of their own with raw UCX active messages between them,
// polled
//          by a Reactor; nothing is pinned. What is compared is the waiting alone.
// Threads  called from a process of one thread: it forks.
// Blocks   for the length of the run and for some 50 ms of opening.
// Source   bench/baseline/README.md; docs/design/reactor.md, "Waiting"
#pragma once

#include <chrono>
#include <cstddef>

#include "krg/error/result.h"
#include "krg/harness/settings.h"
#include "krg/reactor/reactor.h"

namespace krg::baseline {

struct PingPong {
  harness::Transport transport = harness::Transport::shm;
  unsigned pairs = 1;
  unsigned busy = 0;  // Processes that only compute.
  reactor::Reactor::Waiting waiting = reactor::Reactor::Waiting::adaptive;
  std::size_t size = 8;  // Bytes of each message; it is copied, however long.
  std::chrono::nanoseconds length{0};
};

// Round trips per second, all pairs together.
// Errors  system_error  a process failed; it has said why.
Result<double> ping_pong(const PingPong& game);

// The processor time, in percent of one core, that a connected reactor with nothing to do uses.
Result<double> idle_share(const PingPong& game);

}  // namespace krg::baseline

// baseline/echo_client.h: the measuring loops, the same for every raw peer.
//
// Model    Wire has: void post(const Job&)      sends one request, trying until it is taken
//                    std::uint64_t replies()    replies since the beginning
//                    void progress()
// Threads  owned by one thread.
// Blocks   until the run is over.
// Source   bench/baseline/README.md
#pragma once

#include <chrono>
#include <cstdint>

#include "krg/harness/contestant.h"
#include "krg/reactor/clock.h"

namespace krg::baseline {

template <class Wire>
harness::Sample measure_latency(Wire& wire, const harness::Job& job) {
  harness::Latencies latencies;
  const double us_per_tick = 1e-3 / reactor::ticks_per_ns();
  const auto end =
      reactor::ticks() +
      static_cast<std::uint64_t>(static_cast<double>(job.length.count()) * reactor::ticks_per_ns());
  for (std::uint64_t from = reactor::ticks(); from < end;) {
    const std::uint64_t goal = wire.replies() + 1;
    wire.post(job);
    while (wire.replies() < goal) wire.progress();
    const std::uint64_t to = reactor::ticks();
    latencies.add(static_cast<double>(to - from) * us_per_tick);
    from = to;
  }
  return latencies.summary();
}

// Replies per second with job.window requests in flight; counts what came back, and drains.
template <class Wire>
double measure_rate(Wire& wire, const harness::Job& job) {
  using Clock = std::chrono::steady_clock;
  const std::uint64_t first = wire.replies();
  std::uint64_t sent = first;
  const auto begin = Clock::now();
  const auto end = begin + job.length;
  unsigned turns = 0;
  while (turns++ % 64 != 0 || Clock::now() < end) {
    while (sent - wire.replies() < job.window) {
      wire.post(job);
      ++sent;
    }
    wire.progress();
  }
  while (wire.replies() < sent) wire.progress();
  const std::chrono::duration<double> took = Clock::now() - begin;
  return static_cast<double>(sent - first) / took.count();
}

template <class Wire>
harness::Sample measure_echo(Wire& wire, const harness::Job& job) {
  switch (job.kind) {
    case harness::Kind::latency:
      return measure_latency(wire, job);
    case harness::Kind::rate:
      return {measure_rate(wire, job), 0};
    case harness::Kind::bandwidth:
      return {measure_rate(wire, job) * static_cast<double>(job.reply != 0 ? job.reply : job.size) *
                  1e-6,
              0};
  }
  return {};
}

}  // namespace krg::baseline

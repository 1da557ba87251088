// rpc/counters.h: what a service has done, counted always.
//
// Model    one per service and side. Latency is sampled: one call in eight.
// Threads  written by the reactor's thread.
// Blocks   never. Cost: an increment.
// Source   docs/design/wire.md, "Statistics"
#pragma once

#include <array>
#include <cstdint>

namespace krg::rpc {

struct ServiceCounters {
  std::uint64_t calls_sent = 0;       // by this node, answered or not
  std::uint64_t calls_failed = 0;     // ended with an error
  std::uint64_t requests_served = 0;  // executed here
  std::uint64_t requests_failed = 0;  // answered with an error here
  std::uint64_t notices_sent = 0;
  // Sampled call latency: bucket i counts calls of less than 2^i ns and at least half that.
  std::array<std::uint64_t, 40> latency_log2_ns{};
};

}  // namespace krg::rpc

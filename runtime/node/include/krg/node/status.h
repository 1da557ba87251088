// node/status.h: the question "how are you?", from node to node.
//
// Model    wire messages. Ping is the heartbeat; Status is what krgadm shows of one node.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/launch.md, "Failure"
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/base/ids.h"
#include "krg/node/machine.h"
#include "krg/wire/codec.h"

namespace krg::node {

struct Ping {
  static constexpr ServiceId kId{0x20};
  static constexpr const char* kName = "node.ping";
  using Request = wire::Empty;
  using Reply = wire::Empty;
};

struct Status {
  static constexpr ServiceId kId{0x21};
  static constexpr const char* kName = "node.status";
  using Request = wire::Empty;
  struct Reply {
    std::string host;
    std::uint32_t pid = 0;
    std::uint64_t up_ms = 0;
    std::uint32_t tasks = 0;
    std::uint32_t jobs = 0;
    std::string transport;  // The fabric's provider; "" = a cluster of one.
    Machine machine;
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.host, m.pid, m.up_ms, m.tasks, m.jobs, m.transport, m.machine);
    }
  };
};

// What one rpc service has done on a node.
struct ServiceCount {
  std::string name;
  std::uint64_t calls_sent = 0;
  std::uint64_t calls_failed = 0;
  std::uint64_t requests_served = 0;
  std::uint64_t requests_failed = 0;
  std::uint64_t notices_sent = 0;
  std::uint64_t median_ns = 0;  // Upper bound of the sampled median latency; 0 = no sample.
  std::uint64_t p99_ns = 0;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.name, m.calls_sent, m.calls_failed, m.requests_served, m.requests_failed,
          m.notices_sent, m.median_ns, m.p99_ns);
  }
};

struct Stats {
  static constexpr ServiceId kId{0x22};
  static constexpr const char* kName = "node.stats";
  using Request = wire::Empty;
  struct Reply {
    std::vector<ServiceCount> services;
    static void wire_fields(auto& m, auto&& visit) { visit(m.services); }
  };
};

// The standing cluster ends: so does the receiver, once it has answered.
struct Leave {
  static constexpr ServiceId kId{0x23};
  static constexpr const char* kName = "node.leave";
  using Request = wire::Empty;
  using Reply = wire::Empty;
};

}  // namespace krg::node

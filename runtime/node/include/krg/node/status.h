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
#include "krg/stats/snapshot.h"
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
    std::uint64_t memory_budget = 0;  // Of shared objects and pages of regions;
    std::uint64_t memory_used = 0;    // of it.
    static void wire_fields(auto& m, auto&& visit) {
      visit(m.host, m.pid, m.up_ms, m.tasks, m.jobs, m.transport, m.machine, m.memory_budget,
            m.memory_used);
    }
  };
};

// Everything the node has counted and that is not 0.
struct Stats {
  static constexpr ServiceId kId{0x22};
  static constexpr const char* kName = "node.stats";
  using Request = wire::Empty;
  struct Reply {
    stats::Snapshot counted;
    static void wire_fields(auto& m, auto&& visit) { visit(m.counted); }
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

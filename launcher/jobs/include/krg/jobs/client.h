// jobs/client.h: what krgrun and krgadm say to a krgd over a control connection, and back.
//
// Model    one job per connection: Run, then whatever happens, then Ended. When the connection
//          closes, its job is killed. Questions may be asked at any time and are answered in order.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/launch.md, "Control connection"
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/cluster/view.h"
#include "krg/jobs/spec.h"
#include "krg/mm/report.h"
#include "krg/node/status.h"
#include "krg/proc/exit_status.h"
#include "krg/sync/lock_report.h"

namespace krg::jobs {

// To krgd.
struct Run {
  static constexpr std::uint16_t kFrame = 16;
  JobSpec spec;
  static void wire_fields(auto& m, auto&& visit) { visit(m.spec); }
};
// Bytes for the tasks' standard input; InputTaken allows the next. Without bytes: its end.
struct Input {
  static constexpr std::uint16_t kFrame = 17;
  std::vector<std::byte> bytes;
  static void wire_fields(auto& m, auto&& visit) { visit(m.bytes); }
};
// A signal to every task.
struct Signal {
  static constexpr std::uint16_t kFrame = 18;
  std::int32_t number = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.number); }
};
// End the job: `code` and `text` come back in Ended. Without grace at once by SIGKILL.
struct Stop {
  static constexpr std::uint16_t kFrame = 19;
  std::int32_t code = 1;
  std::string text;
  bool grace = true;
  static void wire_fields(auto& m, auto&& visit) { visit(m.code, m.text, m.grace); }
};
struct AskNodes {
  static constexpr std::uint16_t kFrame = 20;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
struct AskStats {
  static constexpr std::uint16_t kFrame = 21;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
struct AskMemory {
  static constexpr std::uint16_t kFrame = 47;
  mm::Report::Request request;
  static void wire_fields(auto& m, auto&& visit) { visit(m.request); }
};
struct AskLocks {
  static constexpr std::uint16_t kFrame = 49;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
// Ends a standing cluster.
struct EndCluster {
  static constexpr std::uint16_t kFrame = 22;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};

// Answered at once by a krgd that lives.
struct AreYouThere {
  static constexpr std::uint16_t kFrame = 23;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};

// From krgd.
struct IAmHere {
  static constexpr std::uint16_t kFrame = 41;
  static void wire_fields(auto&, auto&& visit) { visit(); }
};
struct Started {
  static constexpr std::uint16_t kFrame = 32;
  JobId job;
  static void wire_fields(auto& m, auto&& visit) { visit(m.job); }
};
struct Output {
  static constexpr std::uint16_t kFrame = 33;
  std::uint32_t rank = 0;
  std::uint8_t stream = 1;  // 1 = stdout, 2 = stderr
  std::vector<std::byte> text;
  static void wire_fields(auto& m, auto&& visit) { visit(m.rank, m.stream, m.text); }
};
struct RankEnded {
  static constexpr std::uint16_t kFrame = 34;
  std::uint32_t rank = 0;
  proc::ExitStatus status;
  static void wire_fields(auto& m, auto&& visit) { visit(m.rank, m.status); }
};
struct InputTaken {
  static constexpr std::uint16_t kFrame = 35;
  bool more = true;  // False: nobody reads any more.
  static void wire_fields(auto& m, auto&& visit) { visit(m.more); }
};
// One line for the user.
struct Notice {
  static constexpr std::uint16_t kFrame = 36;
  std::string text;
  static void wire_fields(auto& m, auto&& visit) { visit(m.text); }
};
struct Ended {
  static constexpr std::uint16_t kFrame = 37;
  std::int32_t code = 0;
  std::string text;  // Why, if not all is well; one line.
  static void wire_fields(auto& m, auto&& visit) { visit(m.code, m.text); }
};

// Comes before the rank's first output.
struct RankStarted {
  static constexpr std::uint16_t kFrame = 40;
  std::uint32_t rank = 0;
  std::int32_t pid = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.rank, m.pid); }
};

// An elastic job grows: comes before the first RankStarted of these.
struct Grown {
  static constexpr std::uint16_t kFrame = 46;
  std::uint32_t first_rank = 0;
  std::uint32_t count = 0;
  NodeId node;
  std::string host;
  static void wire_fields(auto& m, auto&& visit) { visit(m.first_rank, m.count, m.node, m.host); }
};

struct NodeReport {
  NodeId node;
  Incarnation incarnation;
  std::string host;
  std::string address;  // Where its heartbeats go; "" if it has none.
  std::string state;    // As cluster::name_of(), or "no answer".
  cluster::Failure why{};
  node::Status::Reply status;  // Of one that has answered; else its pid is 0.
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.node, m.incarnation, m.host, m.address, m.state, m.why, m.status);
  }
};
struct Nodes {
  static constexpr std::uint16_t kFrame = 38;
  std::string cluster;
  std::uint32_t epoch = 0;
  NodeId coordinator;
  std::string serving;  // Why the node that answers may not serve shared state; "" = it may.
  std::vector<NodeReport> nodes;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.cluster, m.epoch, m.coordinator, m.serving, m.nodes);
  }
};
struct NodeStats {
  NodeId node;
  node::Stats::Reply stats;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.stats); }
};
struct AllStats {
  static constexpr std::uint16_t kFrame = 39;
  std::vector<NodeStats> nodes;
  static void wire_fields(auto& m, auto&& visit) { visit(m.nodes); }
};

struct NodeMemory {
  NodeId node;
  mm::Report::Reply report;
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.report); }
};
struct AllMemory {
  static constexpr std::uint16_t kFrame = 48;
  std::vector<NodeMemory> nodes;
  static void wire_fields(auto& m, auto&& visit) { visit(m.nodes); }
};

struct AllLocks {
  static constexpr std::uint16_t kFrame = 50;
  std::vector<sync::NodeLocks> nodes;
  static void wire_fields(auto& m, auto&& visit) { visit(m.nodes); }
};

// What the frames above are called in statistics; "" for a type that is none of them.
std::string frame_name(std::uint16_t type);

}  // namespace krg::jobs

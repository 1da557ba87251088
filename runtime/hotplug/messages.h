// What two nodes say to each other about membership. docs/design/hotplug.md lists it.
#pragma once

#include <cstdint>
#include <vector>

#include "krg/hotplug/roster.h"

namespace krg::hotplug {

enum class Kind : std::uint8_t {
  log = 1,
  lease_request,
  lease_grant,
  update,
  report,
  probe,
  join,
  join_refused,
  leave,
  prepare,
  prepared,
  succeed,
};

// Before every message. A life that is not the one addressed drops it; 0 is any.
struct Header {
  Kind kind = Kind::log;
  Peer from;
  Incarnation to;
  static void wire_fields(auto& m, auto&& visit) { visit(m.kind, m.from, m.to); }
};

// Grows with every exclusion and every round a coordinator begins or ends; the higher term wins.
struct Key {
  std::uint64_t term = 0, generation = 0;
  auto operator<=>(const Key&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.term, m.generation); }
};

struct LogMessage {
  wire::Bytes bytes;
  static void wire_fields(auto& m, auto&& visit) { visit(m.bytes); }
};
// Commands base+1 ..., or the whole roster for one who is too far behind.
struct Update {
  std::uint64_t base = 0;
  std::vector<Command> commands;
  std::vector<Roster> whole;  // At most one.
  static void wire_fields(auto& m, auto&& visit) { visit(m.base, m.commands, m.whole); }
};
struct LeaseRequest {
  std::int64_t stamp = 0;  // The asker's clock, given back to it.
  std::uint64_t version = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.stamp, m.version); }
};
struct LeaseGrant {
  std::int64_t stamp = 0;
  std::int64_t left_ns = 0;  // Of the granter's own lease; 0 = it has none.
  Key key;
  std::uint64_t round = 0;    // That is being prepared.
  std::uint64_t version = 0;  // What one must know who serves under this lease.
  std::vector<Peer> excluded;
  Update update;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.stamp, m.left_ns, m.key, m.round, m.version, m.excluded, m.update);
  }
};
struct Report {
  Peer subject;
  detector::Evidence evidence{};
  static void wire_fields(auto& m, auto&& visit) { visit(m.subject, m.evidence); }
};
struct Probe {
  Peer subject;
  static void wire_fields(auto& m, auto&& visit) { visit(m.subject); }
};
struct JoinRequest {
  cluster::Member member;
  bool relayed = false;
  static void wire_fields(auto& m, auto&& visit) { visit(m.member, m.relayed); }
};
struct JoinRefused {
  std::uint16_t code = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.code); }
};
struct LeaveRequest {
  Peer peer;
  std::uint32_t cancelled_leaves = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.peer, m.cancelled_leaves); }
};
// From the leader to a voter: be elected in my place.
struct Succeed {
  std::uint64_t term = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.term); }
};
struct Prepare {
  Key key;
  std::uint64_t round = 0;
  std::uint64_t version = 0;
  std::int64_t limit_ns = 0;
  Command command;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.key, m.round, m.version, m.limit_ns, m.command);
  }
};
struct Prepared {
  std::uint64_t round = 0;
  std::uint16_t code = 0;  // 0 = the whole subtree is ready.
  static void wire_fields(auto& m, auto&& visit) { visit(m.round, m.code); }
};

}  // namespace krg::hotplug

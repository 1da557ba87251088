// hotplug/roster.h: every node that is known, and what the voters agree on about it.
//
// Model    a Roster is what a sequence of Commands makes of the first view; the same version is the
//          same everywhere. Its epoch grows with every change of the view, its version with every
//          command. A command that was made for another epoch changes nothing.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/hotplug.md, "What is agreed"
#pragma once

#include <cstdint>
#include <vector>

#include "krg/cluster/view.h"
#include "krg/detector/evidence.h"

namespace krg::hotplug {

using detector::Peer;

struct Record {
  cluster::Member member;  // With its state, of which online and leaving are members.
  std::uint32_t cancelled_leaves = 0;
  cluster::Failure why = cluster::Failure::none;  // It has failed.
  bool operator==(const Record&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.member, m.cancelled_leaves, m.why); }
  bool is_member() const noexcept {
    return member.state == cluster::NodeState::online ||
           member.state == cluster::NodeState::leaving;
  }
  Peer peer() const noexcept { return {member.node, member.incarnation}; }
};

enum class ChangeKind : std::uint8_t {
  coordinate,    // `node` leads.
  present,       // It asks to join.
  join,          // present -> online
  begin_leave,   // online -> leaving
  cancel_leave,  // leaving -> online
  leave,         // leaving -> possible
  fail,          // present, online or leaving -> failed
};

struct Change {
  ChangeKind kind = ChangeKind::coordinate;
  Peer peer;
  std::vector<cluster::Member> member;            // One, for `present`.
  cluster::Failure why = cluster::Failure::none;  // For `fail`.
  static void wire_fields(auto& m, auto&& visit) { visit(m.kind, m.peer, m.member, m.why); }
};

struct Command {
  Epoch base;
  Peer proposer;
  std::uint64_t serial = 0;  // Of this proposer.
  std::uint64_t round = 0;   // That prepared it; 0 = none.
  std::vector<Change> changes;
  // The encoded Roster before this command, now and then: a voter that joined the log later knows
  // its commands, but not what they began with.
  std::vector<std::byte> whole;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.base, m.proposer, m.serial, m.round, m.changes, m.whole);
  }
};

struct Roster {
  std::uint64_t version = 0;  // 0: knows nothing.
  Epoch epoch;
  NodeId coordinator = kNoNode;
  std::vector<Record> records;  // By ascending node.
  bool operator==(const Roster&) const = default;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.version, m.epoch, m.coordinator, m.records);
  }

  static Roster of(const cluster::View& view);
  const Record* find(NodeId node) const noexcept;
  bool has_member(const Peer& peer) const noexcept;
  std::vector<NodeId> members() const;
  cluster::View view() const;
};

// Whether a roster from outside may be used. Errors  protocol_error
Status check(const Roster& roster) noexcept;

// True if the view changed. Cost: O(records) for a node that is new, else O(log records).
bool apply(Roster& roster, const Command& command);

}  // namespace krg::hotplug

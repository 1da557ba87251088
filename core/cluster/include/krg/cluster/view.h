// cluster/view.h: who is in the cluster, as agreed by its members.
//
// Model    a View is a value with a number, its epoch; two views of one epoch are equal on every
// node. The
//          same node in a later life has a higher incarnation.
// Threads  immutable once agreed.
// Blocks   never.
// Source   ISIS/Horus virtual synchrony; docs/design/layers.md
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "krg/base/ids.h"
#include "krg/cluster/node_set.h"
#include "krg/error/result.h"

namespace krg::cluster {

// possible: named in the configuration; present: its krgd answers; online: a member; leaving:
// draining; failed: was a member and is gone.
enum class NodeState : std::uint8_t { possible, present, online, leaving, failed };

std::string_view name_of(NodeState state) noexcept;

// Why a node has failed. silent: it was not heard from; ended: its machine said that its krgd is no
// more; refused: it asked to join, and some service could not go along.
enum class Failure : std::uint8_t { none, silent, ended, refused };

std::string_view name_of(Failure why) noexcept;

// One krgd of the cluster.
struct Member {
  NodeId node;
  Incarnation incarnation;
  std::string host;                     // As a person calls the machine.
  std::vector<std::byte> address;       // The fabric's blob; only the fabric reads it.
  std::string datagrams = {};           // "ip:port" of its heartbeats; "" if it has none.
  NodeState state = NodeState::online;  // online or leaving.

  bool operator==(const Member&) const = default;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.node, m.incarnation, m.host, m.address, m.datagrams, m.state);
  }
};

struct View {
  Epoch epoch;
  NodeId coordinator = kNoNode;
  std::vector<Member> members;  // By ascending node id, without repetition.

  bool operator==(const View&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.epoch, m.coordinator, m.members); }

  // nullptr: not a member.
  const Member* find(NodeId node) const noexcept;
  bool contains(NodeId node) const noexcept { return find(node) != nullptr; }
  NodeSet nodes() const;
  // The same, ascending, as rpc::call_all() takes them.
  std::vector<NodeId> node_ids() const;
};

// Whether a view from outside may be used.
// Errors  protocol_error  members out of order, repeated or out of bounds, or a foreign
// coordinator.
Status check(const View& view) noexcept;

// What a step from one view to the next means.
struct ViewChange {
  const View& before;
  const View& after;
  NodeSet joining;  // New, or back with a higher incarnation.
  NodeSet leaving;  // Asked to go, still able to answer until the change is committed.
  NodeSet failed;   // Gone, or replaced by a later incarnation.
};

// Requires  `leaving` is a subset of the nodes that are in `before` but not in `after`.
ViewChange compare(const View& before, const View& after, const NodeSet& leaving = {});

}  // namespace krg::cluster

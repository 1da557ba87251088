#include "krg/hotplug/roster.h"

#include <algorithm>

namespace krg::hotplug {

using cluster::NodeState;

namespace {

auto place_of(std::vector<Record>& records, NodeId node) noexcept {
  return std::lower_bound(records.begin(), records.end(), node,
                          [](const Record& record, NodeId id) { return record.member.node < id; });
}

Record* find_life(Roster& roster, const Peer& peer) noexcept {
  const auto at = place_of(roster.records, peer.node);
  return at != roster.records.end() && at->peer() == peer ? &*at : nullptr;
}

void make_present(Roster& roster, const cluster::Member& member) {
  const auto at = place_of(roster.records, member.node);
  const bool known = at != roster.records.end() && at->member.node == member.node;
  const bool blank = known && at->member.state == NodeState::possible;
  if (known && (at->is_member() || member.incarnation < at->member.incarnation ||
                (member.incarnation == at->member.incarnation && !blank))) {
    return;
  }
  Record record{member};
  record.member.state = NodeState::present;
  if (known) {
    *at = std::move(record);
  } else {
    roster.records.insert(at, std::move(record));
  }
}

bool set_state(Roster& roster, const Peer& peer, NodeState from, NodeState to) noexcept {
  Record* const record = find_life(roster, peer);
  if (record == nullptr || record->member.state != from) return false;
  record->member.state = to;
  return true;
}

bool fail(Roster& roster, const Peer& peer, cluster::Failure why) noexcept {
  Record* const record = find_life(roster, peer);
  if (record == nullptr) return false;
  const bool was_member = record->is_member();
  if (was_member || record->member.state == NodeState::present) {
    record->member.state = NodeState::failed;
    record->why = why;
  }
  return was_member;
}

bool apply_change(Roster& roster, const Change& change) {
  switch (change.kind) {
    case ChangeKind::coordinate: {
      const bool moves = roster.coordinator != change.peer.node && roster.has_member(change.peer);
      if (moves) roster.coordinator = change.peer.node;
      return moves;
    }
    case ChangeKind::present:
      if (change.member.size() == 1) make_present(roster, change.member.front());
      return false;
    case ChangeKind::join:
      return set_state(roster, change.peer, NodeState::present, NodeState::online);
    case ChangeKind::begin_leave:
      return set_state(roster, change.peer, NodeState::online, NodeState::leaving);
    case ChangeKind::cancel_leave: {
      if (!set_state(roster, change.peer, NodeState::leaving, NodeState::online)) return false;
      ++find_life(roster, change.peer)->cancelled_leaves;
      return true;
    }
    case ChangeKind::leave:
      return set_state(roster, change.peer, NodeState::leaving, NodeState::possible);
    case ChangeKind::fail:
      return fail(roster, change.peer, change.why);
  }
  return false;
}

}  // namespace

Roster Roster::of(const cluster::View& view) {
  Roster roster{1, view.epoch, view.coordinator, {}};
  for (const cluster::Member& member : view.members) roster.records.push_back({member});
  return roster;
}

const Record* Roster::find(NodeId node) const noexcept {
  const auto at = place_of(const_cast<Roster*>(this)->records, node);
  return at != records.end() && at->member.node == node ? &*at : nullptr;
}

bool Roster::has_member(const Peer& peer) const noexcept {
  const Record* const record = find(peer.node);
  return record != nullptr && record->is_member() && record->peer() == peer;
}

std::vector<NodeId> Roster::members() const {
  std::vector<NodeId> result;
  for (const Record& record : records) {
    if (record.is_member()) result.push_back(record.member.node);
  }
  return result;
}

cluster::View Roster::view() const {
  cluster::View view{epoch, coordinator, {}};
  for (const Record& record : records) {
    if (record.is_member()) view.members.push_back(record.member);
  }
  return view;
}

Status check(const Roster& roster) noexcept {
  const Error wrong(Errc::protocol_error, "roster");
  for (std::size_t i = 0; i < roster.records.size(); ++i) {
    const cluster::Member& member = roster.records[i].member;
    if (member.node.value >= cluster::kNodesMax || member.state > NodeState::failed) return wrong;
    if (roster.records[i].why > cluster::Failure::refused) return wrong;
    if (i > 0 && member.node <= roster.records[i - 1].member.node) return wrong;
  }
  const Record* const coordinator = roster.find(roster.coordinator);
  if (roster.coordinator != kNoNode && (coordinator == nullptr || !coordinator->is_member())) {
    return wrong;
  }
  return {};
}

bool apply(Roster& roster, const Command& command) {
  ++roster.version;
  if (command.base != roster.epoch) return false;
  bool changed = false;
  for (const Change& change : command.changes) changed |= apply_change(roster, change);
  const Record* const coordinator = roster.find(roster.coordinator);
  if (coordinator == nullptr || !coordinator->is_member()) roster.coordinator = kNoNode;
  if (changed) ++roster.epoch.value;
  return changed;
}

}  // namespace krg::hotplug

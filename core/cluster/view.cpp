#include "krg/cluster/view.h"

#include <algorithm>
#include <array>

namespace krg::cluster {

std::string_view name_of(NodeState state) noexcept {
  constexpr std::array<std::string_view, 5> kNames = {"possible", "present", "online", "leaving",
                                                      "failed"};
  const auto index = static_cast<std::size_t>(state);
  return index < kNames.size() ? kNames[index] : "unknown";
}

std::string_view name_of(Failure why) noexcept {
  constexpr std::array<std::string_view, 4> kNames = {"", "silent", "ended", "refused"};
  const auto index = static_cast<std::size_t>(why);
  return index < kNames.size() ? kNames[index] : "unknown";
}

const Member* View::find(NodeId node) const noexcept {
  const auto at =
      std::lower_bound(members.begin(), members.end(), node,
                       [](const Member& member, NodeId id) { return member.node < id; });
  return at != members.end() && at->node == node ? &*at : nullptr;
}

NodeSet View::nodes() const {
  std::vector<NodeRange> ranges;
  ranges.reserve(members.size());
  for (const Member& member : members) ranges.push_back({member.node.value, member.node.value});
  auto set = NodeSet::from_ranges(std::move(ranges));
  return set ? *std::move(set) : NodeSet();
}

std::vector<NodeId> View::node_ids() const {
  std::vector<NodeId> all;
  all.reserve(members.size());
  for (const Member& member : members) all.push_back(member.node);
  return all;
}

Status check(const View& view) noexcept {
  for (std::size_t i = 0; i < view.members.size(); ++i) {
    const NodeId node = view.members[i].node;
    const NodeState state = view.members[i].state;
    if (state != NodeState::online && state != NodeState::leaving) {
      return Error(Errc::protocol_error, "view: a member that is neither online nor leaving");
    }
    if (node.value >= kNodesMax) return Error(Errc::protocol_error, "view: node id out of bounds");
    if (i > 0 && node <= view.members[i - 1].node) {
      return Error(Errc::protocol_error, "view: members out of order");
    }
  }
  if (view.coordinator != kNoNode && !view.contains(view.coordinator)) {
    return Error(Errc::protocol_error, "view: the coordinator is no member");
  }
  return {};
}

ViewChange compare(const View& before, const View& after, const NodeSet& leaving) {
  ViewChange change{before, after, {}, leaving, {}};
  const NodeSet was = before.nodes();
  const NodeSet is = after.nodes();
  change.joining = is - was;
  change.failed = was - is - leaving;
  for (const NodeId node : was& is) {
    if (before.find(node)->incarnation == after.find(node)->incarnation) continue;
    change.joining.insert(node);
    change.failed.insert(node);
  }
  return change;
}

}  // namespace krg::cluster

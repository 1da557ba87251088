// What must hold at every instant, and what a cluster at rest looks like.
#include <fmt/format.h>

#include <algorithm>

#include "hotplug_world.h"

namespace krg::testing {

void HotplugWorld::fail(const std::string& what) {
  if (!violation_.empty()) return;
  violation_ =
      fmt::format("at {:.6f} s: {}", static_cast<double>(now_.since_origin.count()) / 1e9, what);
}

bool HotplugWorld::serves(std::uint32_t node) const {
  const Slot& slot = nodes_[node];
  return slot.core != nullptr && !slot.stopped && slot.core->serving(local(slot)).has_value();
}

// A node that is not a member of the newest view does not serve. Whether it does can change for the
// worse only when it acts, or when the newest view changes: both end here.
void HotplugWorld::check(std::uint32_t node) {
  const Slot& slot = nodes_[node];
  if (slot.core == nullptr) return;
  const hotplug::Roster& roster = slot.core->roster();
  if (roster.version > newest_.version) {
    newest_ = roster;
    note(newest_.version);
    check_all();
  } else if (roster.version == newest_.version && roster != newest_) {
    fail(fmt::format("node {} knows another roster {}", node, roster.version));
  }
  if (!serves(node)) return;
  if (!newest_.has_member({NodeId{node}, Incarnation{slot.incarnation}})) {
    fail(fmt::format("node {} serves, but is no member in epoch {}", node, newest_.epoch.value));
  }
}

void HotplugWorld::check_all() {
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (!serves(i)) continue;
    if (!newest_.has_member({NodeId{i}, Incarnation{nodes_[i].incarnation}})) {
      fail(fmt::format("node {} still serves, excluded from epoch {}", i, newest_.epoch.value));
    }
  }
}

void HotplugWorld::installed(std::uint32_t node, const cluster::View& view) {
  const auto [at, fresh] = views_.try_emplace(view.epoch, view);
  if (!fresh && at->second != view) {
    fail(fmt::format("node {} has another view of epoch {}", node, view.epoch.value));
  }
  if (!cluster::check(view)) fail("a view that is none");
}

// Voters that are being replaced are fewer than they should be: another death may be one too many.
bool HotplugWorld::voters_change() const {
  std::size_t online = 0;
  for (const hotplug::Record& record : newest_.records) {
    if (record.member.state == cluster::NodeState::leaving) return true;
    online += record.member.state == cluster::NodeState::online;
  }
  const bool pair = online == 2 && options_.core.two_nodes == hotplug::TwoNodes::no_failover;
  const std::size_t wanted = pair ? 2 : online >= 5 ? 5 : online >= 3 ? 3 : 1;
  const std::uint32_t leader = coordinator();
  return unfinished_leaves() != 0 || leader == size() ||
         nodes_[leader].core->voters().size() != wanted;
}

// Whether the leader's voters keep a majority without `node` and without all that may be excluded:
// the stopped, the cut off, those without a lease.
bool HotplugWorld::may_lose(std::uint32_t node) const {
  const std::uint32_t leader = coordinator();
  if (leader == size() || voters_change() || !quorum_without(node)) return false;
  const std::vector<NodeId> voters = nodes_[leader].core->voters();
  std::size_t good = 0;
  for (const NodeId voter : voters) {
    const std::uint32_t i = voter.value;
    good += i != node && serves(i) && groups_[i] == groups_[leader];
  }
  return good * 2 > voters.size();
}

bool HotplugWorld::quorum_without(std::uint32_t node) const {
  bool any = false;
  for (std::uint32_t i = 0; i < size(); ++i) {
    const Slot& slot = nodes_[i];
    if (i == node || slot.core == nullptr || slot.over) continue;
    const std::vector<NodeId> voters = slot.core->voters();
    std::size_t good = 0;
    for (const NodeId voter : voters) {
      const Slot& other = nodes_[voter.value];
      const hotplug::Record* const record = newest_.find(voter);
      const bool same_life = record != nullptr && record->is_member() &&
                             record->member.incarnation.value == other.incarnation;
      if (voter.value != node && other.core != nullptr && !other.over && same_life) ++good;
    }
    if (!voters.empty() && good * 2 <= voters.size()) return false;
    any |= !voters.empty();
  }
  return any;
}

std::uint32_t HotplugWorld::coordinator() const {
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (alive(i) && !over(i) && nodes_[i].core->is_coordinator() && serves(i)) return i;
  }
  return size();
}

bool HotplugWorld::settled() const {
  std::size_t running = 0;
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (!alive(i) || over(i)) continue;
    ++running;
    if (!serves(i) || nodes_[i].core->roster().epoch != newest_.epoch) return false;
    if (nodes_[i].preparing != 0) return false;
  }
  for (const hotplug::Record& record : newest_.records) {
    if (record.member.state == cluster::NodeState::leaving) return false;
    if (record.member.state == cluster::NodeState::present) return false;
  }
  return running == newest_.members().size();
}

std::size_t HotplugWorld::unfinished_leaves() const {
  std::size_t count = 0;
  for (const Slot& slot : nodes_) {
    if (slot.core != nullptr && !slot.over) count += slot.leaves.size();
  }
  return count;
}

std::string HotplugWorld::describe() const {
  std::string text =
      fmt::format("newest: epoch {} version {} coordinator {}\n", newest_.epoch.value,
                  newest_.version, static_cast<int>(newest_.coordinator.value));
  for (const hotplug::Record& record : newest_.records) {
    text += fmt::format("  record {}.{} {}\n", record.member.node.value,
                        record.member.incarnation.value, cluster::name_of(record.member.state));
  }
  for (std::uint32_t i = 0; i < size(); ++i) {
    const Slot& slot = nodes_[i];
    if (slot.core == nullptr) {
      text += fmt::format("  node {} down\n", i);
      continue;
    }
    std::string voters;
    for (const NodeId voter : slot.core->voters()) voters += fmt::format(" {}", voter.value);
    const Status status = slot.core->serving(local(slot));
    text += fmt::format("  node {}.{} {}{}{}epoch {} version {} voters{} {}\n", i, slot.incarnation,
                        slot.stopped ? "stopped " : "", slot.over ? "over " : "",
                        slot.core->is_coordinator() ? "leads " : "",
                        slot.core->roster().epoch.value, slot.core->roster().version, voters,
                        status ? "serves" : status.error().message());
  }
  return text;
}

}  // namespace krg::testing

#include "oracle.h"

#include <algorithm>

namespace krg::kddm_sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

// How far apart the nodes enter one view.
constexpr Duration kSpread = milliseconds(20);

// Enters it in a turn of its own: a node that is stopped does so when it goes on.
Co<void> enter(kddm::Kddm& kddm, cluster::View view) {
  kddm.enter(view);
  co_return;
}

}  // namespace

OracleCluster::OracleCluster(const sim::WorldOptions& options, Recorder& recorder, Begin begin,
                             std::uint64_t room)
    : Cluster(options, recorder, std::move(begin), room), view_due_(options.nodes) {}

bool OracleCluster::begin() {
  for (std::uint32_t i = 0; i < size(); ++i) begin_life(i);
  next_view(cluster::NodeSet::first(size()));
  run_for(milliseconds(30));
  return true;
}

// A member that runs, and may go on being one.
bool OracleCluster::healthy(std::uint32_t index) {
  return node(index) != nullptr && is_member(index) && !node(index)->excluded && !stopped(index);
}

// Two must be left, and failures mostly come one after the other.
bool OracleCluster::may_lose(const std::vector<std::uint32_t>& nodes) {
  std::size_t good = 0, lost = 0;
  for (std::uint32_t i = 0; i < size(); ++i) good += healthy(i);
  for (const std::uint32_t index : nodes) lost += healthy(index);
  if (good < lost + 2) return false;
  return settled() || world().random().chance(150);
}

void OracleCluster::next_view(const cluster::NodeSet& members) {
  cluster::View next{Epoch{++epoch_}, members.min(), {}};
  for (const NodeId node : members) next.members.push_back(member(node.value));
  view_begins(next);
  for (const NodeId node : members) give_view(node.value, next);
}

void OracleCluster::next_view_without(const cluster::NodeSet& gone, Duration after) {
  ++coming_;
  std::vector<cluster::Member> lives;
  for (const NodeId node : gone) lives.push_back(member(node.value));
  later(after, [this, lives] {
    --coming_;
    // One that has come back meanwhile has left the view with the life before.
    cluster::NodeSet still;
    for (const cluster::Member& life : lives) {
      if (life == member(life.node.value)) still.insert(life.node);
    }
    if (!still.empty()) next_view(view().nodes() - still);
  });
}

// One view after the other, each some time after it was agreed.
void OracleCluster::give_view(std::uint32_t index, const cluster::View& view) {
  const TimePoint due = std::max(world().now() + up_to(kSpread), view_due_[index]);
  view_due_[index] = due;
  const LifeId life = node(index) == nullptr ? kNobody : node(index)->life;
  later(due - world().now(), [this, index, life, view] {
    Node* const node = this->node(index);
    if (node == nullptr || node->life != life || node->excluded) return;
    const bool first = node->kddm.epoch().value == 0;
    node->reactor().spawn(enter(node->kddm, view));
    world().wake(node->id);
    if (first) populate(*node);
  });
}

void OracleCluster::kill(std::uint32_t index) {
  const bool counts = is_member(index) && !node(index)->excluded;
  const LifeId life = node(index)->life;
  recorder().end_life(life);
  if (counts) recorder().fail({life});
  end_life(index);
  if (counts) next_view_without(cluster::NodeSet{NodeId{index}}, up_to(milliseconds(30)));
}

void OracleCluster::restart(std::uint32_t index) {
  if (is_member(index)) return;
  world().restart(NodeId{index});
  begin_life(index);
  next_view(view().nodes() | cluster::NodeSet{NodeId{index}});
}

// Their leases end now; the others go on without them a little later.
void OracleCluster::exclude(const std::vector<std::uint32_t>& nodes) {
  std::vector<LifeId> lives;
  cluster::NodeSet gone;
  for (const std::uint32_t index : nodes) {
    Node* const node = this->node(index);
    if (node == nullptr || !is_member(index) || node->excluded) continue;
    node->excluded = true;
    recorder().end_life(node->life);
    lives.push_back(node->life);
    gone.insert(node->id);
  }
  if (lives.empty()) return;
  recorder().fail(lives);
  next_view_without(gone, microseconds(1) + up_to(kSpread));
}

// A life that others go on without learns of it, and ends.
void OracleCluster::give_up(const std::vector<std::uint32_t>& nodes) {
  if (!may_lose(nodes)) return;
  for (const std::uint32_t index : nodes) {
    if (node(index) == nullptr || !is_member(index)) continue;
    later(up_to(milliseconds(100)), [this, index, life = node(index)->life] {
      if (same_life(index, life)) kill(index);
    });
  }
  exclude(nodes);
}

bool OracleCluster::mended() {
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (node(i) != nullptr && node(i)->excluded) kill(i);
    if (node(i) == nullptr) restart(i);
  }
  return members() == size() && settled();
}

}  // namespace krg::kddm_sim

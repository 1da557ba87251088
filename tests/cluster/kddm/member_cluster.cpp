#include "member_cluster.h"

#include <fmt/format.h>

#include <algorithm>

namespace krg::kddm_sim {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

// A fifth of what a cluster has by default, so that a run need not last so long: who is cut off is
// out after some 0.8 s.
hotplug::Options quick() {
  hotplug::Options options;
  options.detector.period = milliseconds(60);
  options.detector.timeout = milliseconds(300);
  options.log.election = milliseconds(200);
  options.log.heartbeat = milliseconds(50);
  options.lease = milliseconds(400);
  options.renew = milliseconds(60);
  options.prepare_limit = seconds(1);
  options.drain_limit = seconds(2);
  return options;
}

bool has(const std::vector<std::uint32_t>& nodes, std::uint32_t index) {
  return std::find(nodes.begin(), nodes.end(), index) != nodes.end();
}

}  // namespace

// Sees a node commit a view, or begin to leave, before its Kddm does: it is the lowest and the
// highest of its services.
class MemberCluster::Witness final : public cluster::ViewListener {
 public:
  Witness(MemberCluster& cluster, Node& node) noexcept : cluster_(cluster), node_(node) {}
  const char* name() const noexcept override { return "witness"; }
  Co<Status> prepare(const cluster::ViewChange& change, Deadline) override {
    if (change.leaving.contains(node_.id)) cluster_.recorder().drains(node_.life);
    co_return Status();
  }
  void abort(const cluster::ViewChange& change) noexcept override {
    if (change.leaving.contains(node_.id)) cluster_.recorder().stays(node_.life);
  }
  void commit(const cluster::ViewChange& change) noexcept override {
    cluster_.committed(node_, change);
  }

 private:
  MemberCluster& cluster_;
  Node& node_;
};

MemberCluster::MemberCluster(const sim::WorldOptions& options, Recorder& recorder, Begin begin,
                             std::uint64_t room)
    : Cluster(options, recorder, std::move(begin), room),
      options_(quick()),
      host_dead_(options.nodes) {}

Node& MemberCluster::new_life(std::uint32_t index) {
  Node& node = begin_life(index);
  const cluster::Member self = member(index);
  lives_[{self.node, self.incarnation}] = node.life;
  node.members = std::make_unique<Members>(world(), node.end.rpc(), self, options_);
  node.witness = std::make_unique<Witness>(*this, node);
  hotplug::Membership& membership = node.members->membership();
  membership.add_listener(*node.witness);
  membership.add_listener(node.kddm);
  membership.add_listener(*node.witness);
  membership.on_over([this, index, life = node.life](Errc) { ended(index, life); });
  world().wake(node.id);
  return node;
}

bool MemberCluster::begin() {
  for (std::uint32_t i = 0; i < size(); ++i) new_life(i);
  cluster::View first{Epoch{1}, NodeId{0}, {}};
  for (std::uint32_t i = 0; i < size(); ++i) first.members.push_back(member(i));
  view_begins(first);
  for (std::uint32_t i = 0; i < size(); ++i) {
    Node& node = *this->node(i);
    node.end.rpc().set_epoch(first.epoch);
    node.kddm.enter(first);
    if (!node.members->membership().found(first)) return false;
    if (i == 0) node.members->membership().stand();
    world().wake(node.id);
  }
  const auto all_serve = [this] {
    for (std::uint32_t i = 0; i < size(); ++i) {
      if (!node(i)->serving()) return false;
    }
    return settled();
  };
  return run_until(all_serve, seconds(3));
}

// --- Views --------------------------------------------------------------------------------------

LifeId MemberCluster::life_of(const cluster::Member& member) const {
  const auto at = lives_.find({member.node, member.incarnation});
  return at == lives_.end() ? kNobody : at->second;
}

void MemberCluster::fail(std::vector<LifeId> lives) {
  std::erase_if(lives, [this](LifeId life) { return !failed_.insert(life).second; });
  if (!lives.empty()) recorder().fail(lives);
}

// The first to commit a view begins it. What failed lives had alone may be gone from then on, and
// no node that is not in it may serve any more.
void MemberCluster::committed(Node& node, const cluster::ViewChange& change) {
  const cluster::View& after = change.after;
  if (after.epoch > view().epoch) {
    std::vector<LifeId> failed;
    for (const cluster::Member& member : view().members) {
      const cluster::Member* const now = after.find(member.node);
      if (now != nullptr && now->incarnation == member.incarnation) continue;
      const LifeId life = life_of(member);
      recorder().end_life(life);
      if (!change.leaving.contains(member.node)) failed.push_back(life);
    }
    for (const cluster::Member& member : after.members) {
      if (!same_life(member.node.value, life_of(member))) failed.push_back(life_of(member));
    }
    fail(failed);
    view_begins(after);
    for (std::uint32_t i = 0; i < size(); ++i) {
      const Node* const other = this->node(i);
      if (other == nullptr || stopped(i) || !other->serving()) continue;
      const cluster::Member* const known = after.find(other->id);
      if (known != nullptr && known->incarnation == other->incarnation) continue;
      complain(fmt::format("node {} serves, but epoch {} is without it", i, after.epoch.value));
    }
  }
  if (node.kddm.epoch().value == 0 && !node.populated && after.contains(node.id)) {
    node.populated = true;
    populate(node);
  }
}

// A life that learns that it has ended, ends.
void MemberCluster::ended(std::uint32_t index, LifeId life) {
  if (same_life(index, life)) node(index)->over = true;
  later(up_to(milliseconds(20)), [this, index, life] {
    if (same_life(index, life)) kill(index);
  });
}

// --- Misfortune ---------------------------------------------------------------------------------

bool MemberCluster::runs(std::uint32_t index) {
  return node(index) != nullptr && !node(index)->over && !stopped(index);
}

Node* MemberCluster::leader() {
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (!runs(i) || !node(i)->serving()) continue;
    if (node(i)->members->membership().is_coordinator()) return node(i);
  }
  return nullptr;
}

// Whether each configuration of voters that anybody knows keeps a majority without `nodes`, and
// without those that can not be reached now: else nobody could decide any more, which is by design.
bool MemberCluster::quorum_without(const std::vector<std::uint32_t>& nodes) {
  const Node* const leads = leader();
  if (leads == nullptr) return false;
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (node(i) == nullptr || node(i)->over) continue;
    const std::vector<NodeId> voters = node(i)->members->membership().voters();
    std::size_t good = 0;
    for (const NodeId voter : voters) {
      const std::uint32_t v = voter.value;
      if (!runs(v) || has(nodes, v) || is_cut(v, leads->id.value) || !node(v)->serving()) continue;
      // A later life is another voter, if it is one.
      const std::vector<NodeId> own = node(v)->members->membership().voters();
      good += std::find(own.begin(), own.end(), voter) != own.end();
    }
    if (good * 2 <= voters.size() && !voters.empty()) return false;
  }
  return true;
}

bool MemberCluster::may_lose(const std::vector<std::uint32_t>& nodes) {
  std::size_t good = 0;
  for (std::uint32_t i = 0; i < size(); ++i) {
    good += runs(i) && is_member(i) && !has(nodes, i) && node(i)->serving().has_value();
  }
  if (good < 2 || !quorum_without(nodes)) return false;
  // While a voter is replaced that leaves, it is the only one that nobody misses.
  if (leaving_ > 0 && (nodes.size() != 1 || nodes[0] != leaver_)) return false;
  // Voters that are being replaced are fewer than they should be.
  std::size_t wanted = members() == 2 ? 1 : std::min<std::size_t>(members(), options_.voters);
  if (wanted % 2 == 0) --wanted;
  if (leader()->members->membership().voters().size() != wanted) return false;
  return settled() || world().random().chance(150);
}

bool MemberCluster::may_leave(std::uint32_t index) {
  return leaving_ == 0 && members() > 2 && runs(index) && is_member(index) && leader() != nullptr;
}

// The process ends, or its machine does, so that nothing says so.
void MemberCluster::kill(std::uint32_t index) {
  const Node& node = *this->node(index);
  const LifeId life = node.life;
  recorder().end_life(life);
  const cluster::Member* const known = view().find(node.id);
  if (known != nullptr && known->incarnation == node.incarnation) fail({life});
  if (!node.over && world().random().chance(300)) {
    host_dead_[index] = true;
    for (std::uint32_t i = 0; i < size(); ++i) {
      if (i != index) cut(index, i);
    }
  }
  end_life(index);
}

void MemberCluster::restart(std::uint32_t index) {
  if (host_dead_[index]) {
    for (std::uint32_t i = 0; i < size(); ++i) {
      if (i != index) mend(index, i);
    }
    host_dead_[index] = false;
  }
  world().restart(NodeId{index});
  Node& node = new_life(index);
  std::vector<cluster::Member> contacts;
  for (const cluster::Member& member : view().members) {
    if (member.node != node.id) contacts.push_back(member);
  }
  node.reactor().spawn(join(node, std::move(contacts)));
  world().wake(node.id);
}

Co<void> MemberCluster::join(Node& node, std::vector<cluster::Member> contacts) {
  hotplug::Membership& membership = node.members->membership();
  const Deadline deadline = node.reactor().after(seconds(5));
  const Status joined = co_await membership.join(std::move(contacts), deadline);
  if (!joined && !node.over) ended(node.id.value, node.life);
}

void MemberCluster::leave(std::uint32_t index) {
  leaver_ = index;
  node(index)->reactor().spawn(drain(*node(index)));
  world().wake(NodeId{index});
}

Co<void> MemberCluster::drain(Node& node) {
  struct Count {
    explicit Count(unsigned& n) : count(n) { ++count; }
    Count(const Count&) = delete;
    Count& operator=(const Count&) = delete;
    ~Count() { --count; }
    unsigned& count;
  } const counted(leaving_);
  // Reason for so long: three rounds may be tried, each up to the limit of draining.
  const Deadline deadline = node.reactor().after(seconds(10));
  (void)co_await node.members->membership().leave({node.id, node.incarnation}, deadline);
}

bool MemberCluster::mended() {
  bool all = leaving_ == 0;
  // A lease that is not renewed ends soon: there is no coordinator yet.
  const TimePoint fresh = world().now() + options_.lease / 2;
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (node(i) == nullptr) restart(i);
    all = all && !node(i)->over && node(i)->serving().has_value() &&
          node(i)->members->membership().lease_until() > fresh;
  }
  // A leave that was given up goes on until a view says so.
  for (const cluster::Member& member : view().members) {
    all = all && member.state != cluster::NodeState::leaving;
  }
  return all && members() == size() && settled();
}

}  // namespace krg::kddm_sim

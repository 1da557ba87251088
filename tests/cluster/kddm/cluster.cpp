#include "cluster.h"

#include <algorithm>

namespace krg::kddm_sim {

using std::chrono::microseconds;
using std::chrono::milliseconds;

namespace {

// How far apart the nodes enter one view.
constexpr Duration kSpread = milliseconds(20);
constexpr Duration kLookEvery = milliseconds(1);

// Enters it in a turn of its own: a node that is stopped does so when it goes on.
Co<void> enter(kddm::Kddm& kddm, cluster::View view) {
  kddm.enter(view);
  co_return;
}

}  // namespace

Cluster::Cluster(const sim::WorldOptions& options, Recorder& recorder, Begin begin)
    : recorder_(recorder),
      begin_(std::move(begin)),
      world_(options),
      nodes_(options.nodes),
      lives_(options.nodes),
      stopped_(options.nodes),
      view_due_(options.nodes),
      excluded_(options.nodes) {
  for (std::uint32_t i = 0; i < size(); ++i) begin_life(i);
  next_view(cluster::NodeSet::first(size()));
}

Cluster::~Cluster() {
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (nodes_[i] == nullptr) continue;
    world_.kill(NodeId{i});
    nodes_[i].reset();
  }
}

void Cluster::begin_life(std::uint32_t index) {
  nodes_[index] = std::make_unique<Node>(world_, NodeId{index}, Incarnation{++lives_[index]},
                                         recorder_.begin_life());
  excluded_[index] = false;
  stopped_[index].reset();
}

bool Cluster::is_member(std::uint32_t index) const noexcept {
  return view_.contains(NodeId{index});
}

std::vector<std::uint32_t> Cluster::healthy() const {
  std::vector<std::uint32_t> all;
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (nodes_[i] != nullptr && is_member(i) && !excluded_[i] && !stopped_[i]) all.push_back(i);
  }
  return all;
}

// --- Time ---------------------------------------------------------------------------------------

Duration Cluster::up_to(Duration most) {
  return Duration(static_cast<Duration::rep>(
      world_.random().below(static_cast<std::uint64_t>(most.count()) + 1)));
}

void Cluster::later(Duration after, std::function<void()> what) {
  events_.push({world_.now() + after, ++event_number_,
                std::make_shared<std::function<void()>>(std::move(what))});
}

void Cluster::fire_events() {
  while (!events_.empty() && events_.top().at <= world_.now()) {
    const auto what = events_.top().what;
    events_.pop();
    (*what)();
  }
}

bool Cluster::run_until(const std::function<bool()>& condition, Duration limit) {
  const TimePoint end = world_.now() + limit;
  fire_events();
  while (!condition()) {
    if (world_.now() >= end) return false;
    TimePoint next = std::min(end, world_.now() + kLookEvery);
    if (!events_.empty()) next = std::min(next, events_.top().at);
    if (next > world_.now()) world_.run_for(next - world_.now());
    fire_events();
    look_for_rest();
    if (look_) look_();
  }
  return true;
}

void Cluster::run_for(Duration time) {
  run_until([] { return false; }, time);
}

// --- Views --------------------------------------------------------------------------------------

void Cluster::next_view(const cluster::NodeSet& members) {
  view_ = members;
  cluster::View view{Epoch{++epoch_}, members.min(), {}};
  for (const NodeId node : members) {
    cluster::Member member;
    member.node = node;
    member.incarnation = Incarnation{lives_[node.value]};
    view.members.push_back(std::move(member));
  }
  entering_ = recorder_.view_begins(members.size());
  for (const NodeId node : members) give_view(node.value, view);
}

void Cluster::next_view_without(const cluster::NodeSet& gone, Duration after) {
  ++coming_;
  later(after, [this, gone] {
    --coming_;
    next_view(view_ - gone);
  });
}

// One view after the other, each some time after it was agreed.
void Cluster::give_view(std::uint32_t index, const cluster::View& view) {
  const TimePoint due = std::max(world_.now() + up_to(kSpread), view_due_[index]);
  view_due_[index] = due;
  const LifeId life = nodes_[index] == nullptr ? kNobody : nodes_[index]->life;
  later(due - world_.now(), [this, index, life, view] {
    Node* const node = nodes_[index].get();
    if (node == nullptr || node->life != life || excluded_[index]) return;
    const bool first = node->kddm.epoch().value == 0;
    node->reactor().spawn(enter(node->kddm, view));
    world_.wake(node->id);
    if (first && begin_) begin_(*node);
  });
}

bool Cluster::rebuilding(const Node& node) const {
  if (!node.kddm.settled()) return true;
  const auto parts = node.kddm.dump();
  return std::any_of(parts.begin(), parts.end(), [](const kddm::ObjectState& part) {
    return part.home.state == kddm::HomeState::rebuilding ||
           part.home.phase == kddm::Phase::settle || part.home.asleep;
  });
}

bool Cluster::settled() {
  look_for_rest();
  return coming_ == 0 && entering_ == 0 && recorder_.is_settled();
}

// Sees when a view has begun everywhere, and when all objects have been put together in it.
void Cluster::look_for_rest() {
  if (coming_ > 0 || (entering_ == 0 && recorder_.is_settled())) return;
  for (const NodeId id : view_) {
    const Node* const node = nodes_[id.value].get();
    if (node == nullptr || node->kddm.epoch().value != epoch_) return;
  }
  if (entering_ != 0) recorder_.view_entered(std::exchange(entering_, 0));
  for (const NodeId id : view_) {
    if (rebuilding(*nodes_[id.value])) return;
  }
  recorder_.settled();
}

// --- Misfortune ---------------------------------------------------------------------------------

void Cluster::kill(std::uint32_t index, Duration noticed) {
  Node& node = *nodes_[index];
  const bool member = is_member(index) && !excluded_[index];
  recorder_.end_life(node.life);
  if (member) recorder_.fail({node.life});
  world_.kill(node.id);
  nodes_[index].reset();
  stopped_[index].reset();
  if (!member) return;
  next_view_without(cluster::NodeSet{NodeId{index}}, noticed);
}

void Cluster::restart(std::uint32_t index) {
  world_.restart(NodeId{index});
  begin_life(index);
  next_view(view_ | cluster::NodeSet{NodeId{index}});
}

void Cluster::stop(std::uint32_t index) {
  world_.stop(NodeId{index});
  stopped_[index] = world_.now();
}

void Cluster::resume(std::uint32_t index) {
  if (!stopped_[index]) return;
  if (nodes_[index] != nullptr) nodes_[index]->stopped += world_.now() - *stopped_[index];
  stopped_[index].reset();
  world_.resume(NodeId{index});
}

void Cluster::exclude(const std::vector<std::uint32_t>& nodes) {
  cluster::NodeSet left = view_;
  std::vector<LifeId> lives;
  for (const std::uint32_t index : nodes) {
    if (nodes_[index] == nullptr || !is_member(index) || excluded_[index]) continue;
    excluded_[index] = true;
    nodes_[index]->serves = false;
    recorder_.end_life(nodes_[index]->life);
    lives.push_back(nodes_[index]->life);
  }
  if (lives.empty()) return;
  recorder_.fail(lives);
  cluster::NodeSet gone;
  for (const std::uint32_t index : nodes) gone.insert(NodeId{index});
  next_view_without(gone, microseconds(1) + up_to(kSpread));
}

}  // namespace krg::kddm_sim

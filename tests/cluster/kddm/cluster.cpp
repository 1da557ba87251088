#include "cluster.h"

#include <fmt/format.h>

#include <algorithm>

namespace krg::kddm_sim {
namespace {

constexpr Duration kLookEvery = std::chrono::milliseconds(1);

bool rebuilding(const Node& node) {
  if (!node.kddm.settled()) return true;
  const auto parts = node.kddm.dump();
  return std::any_of(parts.begin(), parts.end(), [](const kddm::ObjectState& part) {
    return part.home.state == kddm::HomeState::rebuilding ||
           part.home.phase == kddm::Phase::settle || part.home.asleep;
  });
}

}  // namespace

Cluster::Cluster(const sim::WorldOptions& options, Recorder& recorder, Begin begin,
                 std::uint64_t room)
    : recorder_(recorder),
      begin_(std::move(begin)),
      world_(options),
      room_(room),
      nodes_(options.nodes),
      lives_(options.nodes),
      stopped_(options.nodes) {}

Cluster::~Cluster() {
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (nodes_[i] == nullptr) continue;
    world_.kill(NodeId{i});
    nodes_[i].reset();
  }
}

Node& Cluster::begin_life(std::uint32_t index) {
  nodes_[index] = std::make_unique<Node>(world_, NodeId{index}, Incarnation{++lives_[index]},
                                         recorder_.begin_life(), room_);
  stopped_[index].reset();
  return *nodes_[index];
}

void Cluster::end_life(std::uint32_t index) {
  recorder_.end_life(nodes_[index]->life);
  moved_ += nodes_[index]->kddm.memory_use().moved;
  world_.kill(NodeId{index});
  nodes_[index].reset();
  stopped_[index].reset();
}

std::uint64_t Cluster::moved() const noexcept {
  std::uint64_t sum = moved_;
  for (const auto& node : nodes_) sum += node ? node->kddm.memory_use().moved : 0;
  return sum;
}

cluster::Member Cluster::member(std::uint32_t index) const {
  cluster::Member member;
  member.node = NodeId{index};
  member.incarnation = Incarnation{lives_[index]};
  return member;
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

void Cluster::view_begins(const cluster::View& view) {
  view_ = view;
  entering_ = recorder_.view_begins(view.members.size());
}

bool Cluster::settled() {
  look_for_rest();
  return !view_comes() && entering_ == 0 && recorder_.is_settled();
}

std::string Cluster::describe() const {
  std::string text;
  for (std::uint32_t i = 0; i < size(); ++i) {
    const Node* const node = nodes_[i].get();
    text += fmt::format("\n  node {}:", i);
    if (node == nullptr) {
      text += " dead";
      continue;
    }
    const Status serving = node->serving();
    text += fmt::format(" life {}, view {}, {}{}", node->incarnation.value,
                        node->kddm.epoch().value, serving ? "serves" : serving.error().message(),
                        node->kddm.settled() ? "" : ", not settled");
    for (const kddm::ObjectState& part : node->kddm.dump()) {
      if (part.home.state <= kddm::HomeState::idle) continue;
      text += fmt::format("; {} of set {} is {} {}, missing {}, pending {}", part.object.value,
                          part.set.value, name_of(part.home.state), name_of(part.home.phase),
                          part.home.missing, part.home.pending);
    }
  }
  return text;
}

// Sees when a view has begun everywhere, and when all objects have been put together in it.
void Cluster::look_for_rest() {
  if (view_comes() || (entering_ == 0 && recorder_.is_settled())) return;
  for (const cluster::Member& member : view_.members) {
    const Node* const node = nodes_[member.node.value].get();
    if (node == nullptr || node->incarnation != member.incarnation) return;
    if (node->kddm.epoch() != view_.epoch) return;
  }
  if (entering_ != 0) recorder_.view_entered(std::exchange(entering_, 0));
  for (const cluster::Member& member : view_.members) {
    if (rebuilding(*nodes_[member.node.value])) return;
  }
  recorder_.settled();
}

// --- Misfortune ---------------------------------------------------------------------------------

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

void Cluster::cut(std::uint32_t a, std::uint32_t b) {
  if (cuts_.insert(std::minmax(a, b)).second) world_.cut(NodeId{a}, NodeId{b});
}

void Cluster::mend(std::uint32_t a, std::uint32_t b) {
  if (cuts_.erase(std::minmax(a, b)) > 0) world_.mend(NodeId{a}, NodeId{b});
}

}  // namespace krg::kddm_sim

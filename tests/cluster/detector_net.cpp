#include "detector_net.h"

#include <algorithm>
#include <utility>

namespace krg::detector::testing {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;

cluster::View view_of(std::uint32_t count) {
  cluster::View view;
  view.epoch = Epoch{1};
  for (std::uint32_t n = 0; n < count; ++n) {
    view.members.push_back({NodeId{n}, Incarnation{1}, {}, {}});
  }
  return view;
}

}  // namespace

struct DetectorNet::Node final : DatagramPort, DetectorEvents, VerdictSink {
  Node(DetectorNet& owner, NodeId self)
      : net(owner),
        id(self),
        judge(owner.options_, *this),
        detector(owner.options_, self, *this, *this) {}

  void send(NodeId to, Bytes bytes) noexcept override {
    ++sent;
    if (cut || net.nodes_[to.value].cut) return;
    if (net.loss_ > 0 && std::bernoulli_distribution(net.loss_)(net.rng_)) return;
    Event event{.at = net.now_ + net.delay(microseconds(20), microseconds(200)),
                .kind = Kind::datagram,
                .node = to,
                .other = id,
                .size = static_cast<std::uint16_t>(bytes.size())};
    std::copy(bytes.begin(), bytes.end(), event.bytes.begin());
    net.push(event);
  }
  void deliver_to(DatagramSink*) noexcept override {}

  void on_accusation(const Accusation&) noexcept override { ++net.accusations_; }
  void on_withdrawal(const Accusation&) noexcept override {}
  // Touching a dead process over the fabric is answered by a reset; a silent link answers nothing.
  void on_check_wanted(NodeId subject) noexcept override {
    if (net.nodes_[subject.value].killed && !cut) lose(subject, milliseconds(1), milliseconds(2));
  }
  void on_verdict(const Verdict& verdict) noexcept override {
    net.declared_.push_back({net.now_, id, verdict});
  }
  void lose(NodeId peer, Duration least, Duration most) {
    net.push({.at = net.now_ + net.delay(least, most),
              .kind = Kind::fabric_error,
              .node = id,
              .other = peer});
  }
  bool is_judge() const { return id.value < net.judges_.size(); }
  bool gone() const { return cut || killed; }

  DetectorNet& net;
  const NodeId id;
  Aggregator judge;
  Detector detector;
  std::uint64_t sent = 0;
  bool killed = false;
  bool cut = false;
  bool stopped = false;
  std::vector<Event> held;  // What waits for a stopped node.
};

DetectorNet::DetectorNet(std::uint32_t count, std::uint64_t seed, const Options& options,
                         double loss)
    : rng_(seed), options_(options), loss_(loss), rings_(view_of(count)) {
  for (std::uint32_t n = 0; n < std::min(count, 5u); ++n) judges_.push_back(NodeId{n});
  for (std::uint32_t n = 0; n < count; ++n) nodes_.emplace_back(*this, NodeId{n});
  for (Node& node : nodes_) {
    if (node.is_judge()) node.judge.set_view(rings_);
    node.detector.set_view(now_, rings_, judges_, node.is_judge() ? &node.judge : nullptr);
    push({.at = node.detector.due(), .kind = Kind::tick, .node = node.id});
  }
}

DetectorNet::~DetectorNet() = default;

void DetectorNet::push(Event event) {
  event.order = order_++;
  events_.push(event);
}

Duration DetectorNet::delay(Duration least, Duration most) {
  return least +
         Duration(static_cast<Duration::rep>(random(std::uint64_t((most - least).count()))));
}

void DetectorNet::run_for(Duration d) {
  const TimePoint end = now_ + d;
  while (!events_.empty() && events_.top().at <= end) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    handle(event);
  }
  now_ = end;
}

void DetectorNet::handle(const Event& event) {
  Node& node = nodes_[event.node.value];
  if (node.killed) return;
  if (event.kind == Kind::thaw) return thaw(node);
  if (node.stopped) {
    node.held.push_back(event);
    return;
  }
  switch (event.kind) {
    case Kind::tick:
      node.detector.tick(now_);
      return push({.at = node.detector.due(), .kind = Kind::tick, .node = node.id});
    case Kind::datagram:
      return node.detector.on_datagram(now_, event.other, std::span(event.bytes).first(event.size));
    case Kind::fabric_error:
      return node.detector.on_fabric_error(now_, event.other);
    case Kind::thaw:
      return;
  }
}

// A reactor that wakes may look at its timers or at its socket first.
void DetectorNet::thaw(Node& node) {
  node.stopped = false;
  std::vector<Event> held = std::exchange(node.held, {});
  const bool timers_first = random(2) == 0;
  std::stable_partition(held.begin(), held.end(),
                        [&](const Event& e) { return (e.kind == Kind::tick) == timers_first; });
  for (const Event& event : held) handle(event);
}

void DetectorNet::kill(NodeId node, NodeId witness) {
  nodes_[node.value].killed = true;
  nodes_[witness.value].lose(node, milliseconds(2), milliseconds(4));
}

void DetectorNet::cut_off(NodeId node) { nodes_[node.value].cut = true; }

void DetectorNet::stop(NodeId node, Duration d) {
  if (std::exchange(nodes_[node.value].stopped, true)) return;
  push({.at = now_ + d, .kind = Kind::thaw, .node = node});
}

NodeId DetectorNet::any_node(NodeId but) {
  while (true) {
    const NodeId node{static_cast<std::uint32_t>(random(nodes_.size()))};
    if (node != but && !nodes_[node.value].gone()) return node;
  }
}

std::size_t DetectorNet::judges_against(NodeId node) const {
  return static_cast<std::size_t>(std::count_if(judges_.begin(), judges_.end(), [&](NodeId judge) {
    const Node& j = nodes_[judge.value];
    return !j.gone() && j.judge.declared(node);
  }));
}

std::size_t DetectorNet::live_judges() const {
  return static_cast<std::size_t>(std::count_if(
      judges_.begin(), judges_.end(), [&](NodeId judge) { return !nodes_[judge.value].gone(); }));
}

bool DetectorNet::innocent_declared() const {
  return std::any_of(declared_.begin(), declared_.end(),
                     [&](const Declared& d) { return !nodes_[d.verdict.subject.value].gone(); });
}

std::uint64_t DetectorNet::sent(NodeId node) const { return nodes_[node.value].sent; }

std::uint64_t DetectorNet::sent_by_all() const {
  std::uint64_t sum = 0;
  for (const Node& node : nodes_) sum += node.sent;
  return sum;
}

}  // namespace krg::detector::testing

#include "detector_world.h"

#include <algorithm>
#include <utility>

namespace krg::testing {

using detector::Evidence;
using detector::Peer;

namespace {
constexpr Incarnation kFirst{1};
}

class DetectorWorld::Node final : public detector::DatagramPort, public detector::AccusationSink {
 public:
  Node(DetectorWorld& world, std::uint32_t id)
      : world_(world),
        id_(id),
        detector(Peer{NodeId{id}, kFirst}, {}, *this, *this, world.random().next(), world.now()) {}

  void send(NodeId to, wire::Bytes datagram) noexcept override {
    Slot& self = world_.nodes_[id_];
    Slot& peer = world_.nodes_[to.value];
    if (self.cut || peer.cut || world_.random_.chance(world_.loss_per_mille_)) return;
    Event event;
    event.kind = peer.dead ? Kind::refused : Kind::datagram;
    event.to = peer.dead ? id_ : to.value;
    event.from = peer.dead ? to.value : id_;
    event.size = static_cast<std::uint8_t>(datagram.size());
    std::copy(datagram.begin(), datagram.end(), event.bytes.begin());
    world_.post(event, world_.latency());
  }
  void accuse(const Peer& subject, Evidence evidence) noexcept override {
    if (world_.nodes_[id_].cut) return;
    Event event;
    event.kind = Kind::accusation;
    event.from = id_;
    event.peer = subject;
    event.evidence = evidence;
    world_.post(event, world_.latency() * 3);
  }
  void arm() {
    if (armed_ <= detector.next()) return;
    armed_ = detector.next();
    Event event;
    event.kind = Kind::timer;
    event.to = id_;
    world_.post(event, std::max(armed_ - world_.now(), Duration(0)));
  }
  void on_timer() {
    armed_ = TimePoint{Duration::max()};
    detector.on_timer(world_.now());
  }

 private:
  DetectorWorld& world_;
  const std::uint32_t id_;
  TimePoint armed_{Duration::max()};

 public:
  detector::Detector detector;
};

DetectorWorld::DetectorWorld(std::uint32_t nodes, std::uint64_t seed)
    : random_(seed), nodes_(nodes) {
  std::vector<NodeId> ids;
  std::vector<Peer> peers;
  for (std::uint32_t i = 0; i < nodes; ++i) {
    ids.push_back(NodeId{i});
    peers.push_back({NodeId{i}, kFirst});
  }
  rings_ = std::make_shared<const detector::Rings>(ids);
  verdicts_.set_view(peers, rings_);
  const auto lives = [](const std::vector<NodeId>& of) {
    std::vector<Peer> result;
    for (const NodeId node : of) result.push_back({node, kFirst});
    return result;
  };
  for (std::uint32_t i = 0; i < nodes; ++i) {
    nodes_[i].node = std::make_unique<Node>(*this, i);
    nodes_[i].node->detector.watch(lives(rings_->observers_of(NodeId{i})),
                                   lives(rings_->subjects_of(NodeId{i})), now_);
    nodes_[i].node->arm();
  }
}

DetectorWorld::~DetectorWorld() = default;

std::uint64_t DetectorWorld::sent(std::uint32_t node) const {
  return nodes_[node].node->detector.datagrams_sent();
}

void DetectorWorld::post(Event event, Duration after) {
  event.at = now_ + after;
  event.number = number_++;
  events_.push(event);
}

void DetectorWorld::run_for(Duration time) {
  const TimePoint end = now_ + time;
  while (!events_.empty() && events_.top().at <= end) {
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    handle(event);
  }
  now_ = end;
}

void DetectorWorld::handle(const Event& event) {
  if (event.kind == Kind::accusation || event.kind == Kind::decide) return to_coordinator(event);
  Slot& slot = nodes_[event.to];
  if (slot.dead || (slot.cut && event.kind != Kind::timer)) return;
  if (slot.stopped) {
    slot.waiting.push_back(event);
    return;
  }
  detector::Detector& detector = slot.node->detector;
  switch (event.kind) {
    case Kind::datagram:
      ++slot.received;
      if (!slot.deaf) detector.on_datagram(wire::Bytes(event.bytes).first(event.size), now_);
      break;
    case Kind::refused:
      detector.on_refused(NodeId{event.from});
      break;
    case Kind::timer:
      slot.node->on_timer();
      break;
    case Kind::probe:
      detector.probe(event.peer, now_);
      break;
    default:
      break;
  }
  slot.node->arm();
}

void DetectorWorld::to_coordinator(const Event& event) {
  if (event.kind == Kind::accusation &&
      verdicts_.report(NodeId{event.from}, event.peer, event.evidence, now_)) {
    for (const NodeId observer : rings_->observers_of(event.peer.node)) {
      Event probe;
      probe.kind = Kind::probe;
      probe.to = observer.value;
      probe.peer = event.peer;
      post(probe, latency());
    }
  }
  for (const detector::Verdict& verdict : verdicts_.decide(now_)) {
    std::optional<TimePoint>& known = nodes_[verdict.subject.node.value].known;
    if (known) continue;
    known = now_;
    ++verdict_count_;
  }
}

void DetectorWorld::kill(std::uint32_t node, unsigned witnesses) {
  nodes_[node].dead = true;
  for (unsigned i = 0; i < witnesses; ++i) {
    std::uint32_t witness = node;
    while (witness == node) witness = static_cast<std::uint32_t>(random_.below(nodes_.size()));
    Event event;
    event.kind = Kind::probe;
    event.to = witness;
    event.peer = {NodeId{node}, kFirst};
    post(event, std::chrono::microseconds(random_.between(2000, 4000)));
  }
}

void DetectorWorld::resume(std::uint32_t node) {
  Slot& slot = nodes_[node];
  slot.stopped = false;
  std::vector<Event> waiting = std::exchange(slot.waiting, {});
  // Timers and datagrams that have waited come in any order.
  for (std::size_t i = waiting.size(); i > 1; --i)
    std::swap(waiting[i - 1], waiting[random_.below(i)]);
  for (const Event& event : waiting) handle(event);
}

}  // namespace krg::testing

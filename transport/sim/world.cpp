#include "krg/sim/world.h"

#include <algorithm>
#include <vector>

#include "network.h"

namespace krg::sim {
namespace {

// Turns of each node without a step of the clock, after which it moves anyway: work that makes new
// work for ever, as a loop that polls, must not stop time.
constexpr std::uint64_t kTurnsPerInstantMax = 50;

}  // namespace

class World::Impl {
 public:
  explicit Impl(const WorldOptions& options) : network(options), nodes(options.nodes) {}

  struct Node {
    std::unique_ptr<reactor::Reactor> reactor;
    TimePoint timer{Duration::max()};
    bool runnable = false, stopped = false, dead = false;
  };
  struct TimerDue {
    TimePoint at;
    std::uint32_t node;
    bool operator<(const TimerDue& other) const noexcept {  // The earliest on top of the heap.
      return at != other.at ? other.at < at : other.node < node;
    }
  };

  void wake(std::uint32_t index) {
    Node& node = nodes[index];
    if (node.runnable || node.stopped || node.dead || node.reactor == nullptr) return;
    node.runnable = true;
    runnable.push_back(index);
  }
  void deliver();
  void turn_one();
  void set_timer(std::uint32_t index);
  bool advance(Deadline limit);
  std::optional<TimePoint> next_timer();
  void fire_timers();

  Network network;
  std::vector<Node> nodes;
  std::vector<std::uint32_t> runnable, awake;
  std::vector<TimerDue> timers;
  std::uint64_t turns_in_instant = 0;
  std::uint32_t turning = kNoNode.value;
};

void World::Impl::deliver() {
  network.deliver(awake);
  for (const std::uint32_t node : awake) wake(node);
  awake.clear();
}

void World::Impl::turn_one() {
  const std::size_t chosen = network.random().below(runnable.size());
  const std::uint32_t index = runnable[chosen];
  runnable[chosen] = runnable.back();
  runnable.pop_back();
  Node& node = nodes[index];
  node.runnable = false;
  if (node.stopped || node.dead || node.reactor == nullptr) return;  // Since it was woken.
  network.note(index);
  turning = index;
  const bool worked = node.reactor->turn();
  turning = kNoNode.value;
  if (worked) wake(index);
  set_timer(index);
}

void World::Impl::set_timer(std::uint32_t index) {
  const auto next = nodes[index].reactor->next_timer();
  const TimePoint at = next.value_or(TimePoint{Duration::max()});
  if (at == nodes[index].timer) return;
  nodes[index].timer = at;
  if (!next) return;
  timers.push_back({at, index});
  std::push_heap(timers.begin(), timers.end());
}

// The earliest timer that still counts.
std::optional<TimePoint> World::Impl::next_timer() {
  while (!timers.empty()) {
    const TimerDue& due = timers.front();
    const Node& node = nodes[due.node];
    if (node.timer == due.at && !node.stopped && !node.dead) return due.at;
    std::pop_heap(timers.begin(), timers.end());
    timers.pop_back();
  }
  return std::nullopt;
}

void World::Impl::fire_timers() {
  while (const auto next = next_timer()) {
    if (*next > network.clock().now()) return;
    const std::uint32_t node = timers.front().node;
    std::pop_heap(timers.begin(), timers.end());
    timers.pop_back();
    nodes[node].timer = TimePoint{Duration::max()};
    wake(node);
  }
}

bool World::Impl::advance(Deadline limit) {
  reactor::VirtualClock& clock = network.clock();
  std::optional<TimePoint> next = network.next();
  if (const auto timer = next_timer(); timer && (!next || *timer < *next)) next = timer;
  if (!next || *next > limit.at()) {
    if (!limit.is_never()) clock.advance_to(std::max(clock.now(), limit.at()));
    return false;
  }
  clock.advance_to(std::max(clock.now(), *next));
  turns_in_instant = 0;
  deliver();
  fire_timers();
  return true;
}

World::World(const WorldOptions& options) : impl_(std::make_unique<Impl>(options)) {}
World::~World() = default;

std::uint32_t World::size() const noexcept {
  return static_cast<std::uint32_t>(impl_->nodes.size());
}
Random& World::random() noexcept { return impl_->network.random(); }
const reactor::Clock& World::clock() const noexcept { return impl_->network.clock(); }

reactor::Reactor& World::reactor(NodeId node) {
  KRG_ASSERT(node.value < size());
  auto& reactor = impl_->nodes[node.value].reactor;
  if (reactor == nullptr) reactor = std::make_unique<reactor::Reactor>(clock());
  impl_->wake(node.value);
  return *reactor;
}

void World::wake(NodeId node) { impl_->wake(node.value); }

Result<std::unique_ptr<fabric::Fabric>> World::open(reactor::Reactor& reactor,
                                                    fabric::EventSink& sink,
                                                    const fabric::Options& options) {
  const std::uint32_t node = options.self.node.value;
  if (node >= size() || impl_->nodes[node].reactor.get() != &reactor) {
    return Error(Errc::invalid_argument, "not a node of this world, or not its reactor");
  }
  if (impl_->network.fabric(node) != nullptr) return Errc::already_exists;
  return std::unique_ptr<fabric::Fabric>(
      std::make_unique<SimFabric>(impl_->network, reactor, sink, options));
}

void World::set_datagrams(NodeId node, Datagrams* sink) {
  SimFabric* const fabric = impl_->network.fabric(node.value);
  KRG_ASSERT(fabric != nullptr);
  fabric->set_datagrams(sink);
}

void World::send_datagram(NodeId from, NodeId to, std::span<const std::byte> content) {
  KRG_ASSERT(from.value < size());
  if (to.value < size()) impl_->network.send_datagram(from.value, to.value, content);
}

bool World::step(Deadline limit) {
  impl_->deliver();
  if (impl_->runnable.empty()) return impl_->advance(limit);
  if (++impl_->turns_in_instant > kTurnsPerInstantMax * size()) {
    impl_->network.clock().advance_to(now() + std::chrono::microseconds(1));
    impl_->fire_timers();
    impl_->turns_in_instant = 0;
  }
  impl_->turn_one();
  return true;
}

bool World::run_until(const std::function<bool()>& condition, Duration limit) {
  const Deadline end(now() + limit);
  for (std::uint32_t node = 0; node < size(); ++node) impl_->wake(node);
  while (!condition()) {
    if (!step(end) || now() > end.at()) return condition();
  }
  return true;
}

void World::run_for(Duration time) {
  run_until([] { return false; }, time);
}

void World::kill(NodeId node) {
  Impl::Node& victim = impl_->nodes.at(node.value);
  KRG_ASSERT(impl_->turning != node.value);
  if (victim.dead) return;
  victim.dead = true;
  victim.timer = TimePoint{Duration::max()};
  impl_->network.kill(node.value);
  if (victim.reactor != nullptr) victim.reactor->cancel_all();
}

bool World::alive(NodeId node) const noexcept { return !impl_->nodes[node.value].dead; }

void World::restart(NodeId node) {
  Impl::Node& back = impl_->nodes.at(node.value);
  KRG_ASSERT(back.dead);
  KRG_ASSERT(impl_->network.fabric(node.value) == nullptr);
  back.reactor.reset();
  back.dead = back.stopped = false;
}

void World::stop(NodeId node) { impl_->nodes.at(node.value).stopped = true; }

void World::resume(NodeId node) {
  Impl::Node& back = impl_->nodes.at(node.value);
  back.stopped = false;
  // The turn that follows sets its timer anew.
  back.timer = TimePoint{Duration::max()};
  impl_->wake(node.value);
}

void World::cut(NodeId a, NodeId b) { impl_->network.cut(a.value, b.value); }
void World::mend(NodeId a, NodeId b) { impl_->network.mend(a.value, b.value); }
void World::set_latency(NodeId from, NodeId to, const Latency& latency) {
  impl_->network.set_latency(from.value, to.value, latency);
}

std::uint64_t World::trace() const noexcept { return impl_->network.trace(); }
std::uint64_t World::packets() const noexcept { return impl_->network.packets(); }

}  // namespace krg::sim

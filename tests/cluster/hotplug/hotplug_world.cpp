#include "hotplug_world.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace krg::testing {

using std::chrono::microseconds;
using std::chrono::milliseconds;

// What a core is given to act by.
class HotplugWorld::Node final : public hotplug::CoreSink {
 public:
  Node(HotplugWorld& world, std::uint32_t id) : datagrams(*this), world_(world), id_(id) {}

  void send(NodeId to, wire::Bytes message) override {
    HotplugWorld& world = world_;
    if (to.value >= world.size()) return;
    if (!world.reaches(id_, to.value)) return;
    Duration delay = world.latency();
    if (world.random_.chance(world.slow_per_mille_))
      delay += milliseconds(world.random_.below(1500));
    const std::uint32_t peer = to.value;
    world.post(delay,
               [&world, peer, from = id_, bytes = std::vector(message.begin(), message.end())] {
                 if (world.groups_[from] != world.groups_[peer]) return;
                 world.at_node(peer, 0, [&world, peer, bytes] {
                   Slot& slot = world.nodes_[peer];
                   slot.core->on_message(bytes, world.local(slot));
                 });
               });
  }
  void send_datagram(NodeId to, wire::Bytes datagram);
  void reach(const cluster::Member&) override {}
  void prepare(std::uint64_t round, const cluster::View&, const cluster::View&,
               const cluster::NodeSet&, Duration) override {
    Slot& slot = world_.nodes_[id_];
    slot.preparing = round;
    if (world_.random_.chance(world_.options_.hang_per_mille)) return;
    const bool refuses = world_.random_.chance(world_.options_.refuse_per_mille);
    const auto longest = static_cast<std::uint64_t>(world_.options_.prepare_max.count());
    HotplugWorld& world = world_;
    world.post(Duration(static_cast<std::int64_t>(world.random_.below(longest + 1))),
               [&world, id = id_, life = slot.life, round, refuses] {
                 world.at_node(id, life, [&world, id, round, refuses] {
                   Slot& self = world.nodes_[id];
                   if (self.preparing != round) return;
                   const Status how = refuses ? Status(Error(Errc::cancelled)) : Status();
                   self.core->prepared(round, how, world.local(self));
                 });
               });
  }
  void abort(std::uint64_t round) override {
    Slot& slot = world_.nodes_[id_];
    if (slot.preparing != round) world_.fail("an abort of what was not prepared");
    slot.preparing = 0;
    ++slot.aborts;
  }
  void install(std::uint64_t round, const cluster::View& before, const cluster::View& after,
               const cluster::NodeSet&) override {
    Slot& slot = world_.nodes_[id_];
    if (round != 0 && slot.preparing != round) world_.fail("a commit of what was not prepared");
    if (round == 0 && slot.preparing != 0) world_.fail("a view in the middle of a prepare");
    if (before.epoch >= after.epoch && before.contains(NodeId{id_})) world_.fail("an old view");
    slot.preparing = 0;
    ++slot.installs;
    world_.installed(id_, after);
  }
  void over(Errc why) override {
    Slot& slot = world_.nodes_[id_];
    slot.over = true;
    slot.why = why;
  }
  void leave_ended(const hotplug::Peer& peer, Errc how) override {
    world_.nodes_[id_].leaves.erase(peer);
    world_.last_leave_ = how;
  }
  std::uint64_t random() override { return world_.random_.next(); }

  struct Datagrams final : detector::DatagramPort {
    explicit Datagrams(Node& owner) noexcept : node(owner) {}
    void send(NodeId to, wire::Bytes datagram) noexcept override {
      node.send_datagram(to, datagram);
    }
    Node& node;
  } datagrams;

 private:
  HotplugWorld& world_;
  const std::uint32_t id_;
};

void HotplugWorld::Node::send_datagram(NodeId to, wire::Bytes datagram) {
  HotplugWorld& world = world_;
  const std::uint32_t peer = to.value;
  if (peer >= world.size() || !world.reaches(id_, peer)) return;
  const Slot& target = world.nodes_[peer];
  if (target.core == nullptr) {
    if (target.host_dead) return;
    world.post(world.latency(), [&world, id = id_, life = world.nodes_[id_].life, peer] {
      world.at_node(id, life, [&world, id, peer] {
        Slot& self = world.nodes_[id];
        // As with UDP: the answer is about an address, and a new life has another.
        if (world.nodes_[peer].core == nullptr) {
          self.core->on_refused(NodeId{peer}, world.local(self));
        }
      });
    });
    return;
  }
  world.post(world.latency(),
             [&world, peer, bytes = std::vector(datagram.begin(), datagram.end())] {
               world.at_node(peer, 0, [&world, peer, bytes] {
                 Slot& slot = world.nodes_[peer];
                 slot.core->on_datagram(bytes, world.local(slot));
               });
             });
}

HotplugWorld::HotplugWorld(const HotplugWorldOptions& options)
    : options_(options), random_(options.seed), nodes_(options.nodes + options.spare) {
  groups_.assign(nodes_.size(), 0);
  for (Slot& slot : nodes_) {
    slot.ppm = options_.clocks_drift ? static_cast<std::int64_t>(random_.below(1001)) - 500 : 0;
    slot.offset_ns = static_cast<std::int64_t>(random_.below(std::uint64_t{1} << 40));
  }
  cluster::View first;
  first.epoch = Epoch{1};
  first.coordinator = NodeId{0};
  for (std::uint32_t i = 0; i < options_.nodes; ++i) {
    nodes_[i].incarnation = 1;
    first.members.push_back(member(i));
  }
  newest_ = hotplug::Roster::of(first);
  views_[first.epoch] = first;
  for (std::uint32_t i = 0; i < options_.nodes; ++i) {
    make_core(i);
    if (!nodes_[i].core->found(first, local(nodes_[i]))) fail("found");
    arm(i);
  }
}

HotplugWorld::~HotplugWorld() = default;

cluster::Member HotplugWorld::member(std::uint32_t node) const {
  cluster::Member member;
  member.node = NodeId{node};
  member.incarnation = Incarnation{nodes_[node].incarnation};
  member.host = fmt::format("h{}", node / 2);
  return member;
}

void HotplugWorld::make_core(std::uint32_t node) {
  Slot& slot = nodes_[node];
  slot.core.reset();
  slot.node = std::make_unique<Node>(*this, node);
  ++slot.life;
  slot.over = slot.stopped = slot.host_dead = false;
  slot.why = Errc::ok;
  slot.preparing = 0;
  slot.waiting.clear();
  slot.leaves.clear();
  slot.armed = TimePoint{Duration::max()};
  slot.core = std::make_unique<hotplug::Core>(member(node), options_.core, slot.node->datagrams,
                                              *slot.node, local(slot));
}

TimePoint HotplugWorld::local(const Slot& slot) const {
  const std::int64_t t = now_.since_origin.count();
  return TimePoint{Duration(slot.offset_ns + t + t / 1000000 * slot.ppm)};
}

TimePoint HotplugWorld::real(const Slot& slot, TimePoint at) const {
  const std::int64_t behind = (at - local(slot)).count();
  return now_ + Duration(std::max<std::int64_t>(behind, 0) + 1000);
}

Duration HotplugWorld::latency() { return microseconds(random_.between(50, 500)); }

bool HotplugWorld::reaches(std::uint32_t from, std::uint32_t to) {
  return groups_[from] == groups_[to] && !random_.chance(loss_per_mille_);
}

void HotplugWorld::post(Duration after, std::function<void()> what) {
  events_.push({now_ + after, number_++, std::make_shared<std::function<void()>>(std::move(what))});
}

void HotplugWorld::at_node(std::uint32_t node, std::uint64_t life,
                           const std::function<void()>& what) {
  Slot& slot = nodes_[node];
  if (slot.core == nullptr || (life != 0 && life != slot.life)) return;
  if (slot.stopped) {
    slot.waiting.push_back(what);
    return;
  }
  what();
  note(node);
  check(node);
  arm(node);
}

void HotplugWorld::arm(std::uint32_t node) {
  Slot& slot = nodes_[node];
  if (slot.core == nullptr || slot.over || slot.core->next() >= slot.armed) return;
  slot.armed = slot.core->next();
  const Duration wait = real(slot, slot.armed) - now_;
  post(wait, [this, node, life = slot.life] {
    at_node(node, life, [this, node] {
      Slot& self = nodes_[node];
      self.armed = TimePoint{Duration::max()};
      self.core->on_timer(local(self));
    });
  });
}

void HotplugWorld::run_for(Duration time) {
  const TimePoint end = now_ + time;
  run_until([] { return false; }, time);
  now_ = end;
}

bool HotplugWorld::run_until(const std::function<bool()>& condition, Duration limit) {
  const TimePoint end = now_ + limit;
  while (!condition()) {
    if (events_.empty() || events_.top().at > end || !violation_.empty()) return false;
    const Event event = events_.top();
    events_.pop();
    now_ = event.at;
    note(static_cast<std::uint64_t>(now_.since_origin.count()));
    (*event.what)();
  }
  return true;
}

void HotplugWorld::kill(std::uint32_t node, bool with_host) {
  Slot& slot = nodes_[node];
  slot.core.reset();
  slot.waiting.clear();
  slot.leaves.clear();
  slot.stopped = false;
  slot.host_dead = with_host;
  if (with_host) return;
  // Those that had a connection to it: at least one.
  bool told = false;
  const auto begin = static_cast<std::uint32_t>(random_.below(size()));
  for (std::uint32_t n = 0; n < size(); ++n) {
    const std::uint32_t i = (begin + n) % size();
    if (!alive(i) || stopped(i) || over(i) || !reaches(i, node)) continue;
    if (told && random_.chance(400)) continue;
    told = true;
    const hotplug::Peer peer{NodeId{node}, Incarnation{slot.incarnation}};
    post(microseconds(random_.between(2000, 4000)), [this, i, life = nodes_[i].life, peer] {
      at_node(i, life, [this, i, peer] { nodes_[i].core->fabric_down(peer, local(nodes_[i])); });
    });
  }
}

void HotplugWorld::start(std::uint32_t node) {
  Slot& slot = nodes_[node];
  ++slot.incarnation;
  make_core(node);
  std::vector<cluster::Member> contacts;
  for (std::uint32_t i = 0; i < size(); ++i) {
    if (i != node && nodes_[i].incarnation != 0) contacts.push_back(member(i));
  }
  if (!slot.core->join(contacts, local(slot))) fail("join");
  arm(node);
}

void HotplugWorld::resume(std::uint32_t node) {
  Slot& slot = nodes_[node];
  slot.stopped = false;
  check(node);
  std::vector<std::function<void()>> waiting = std::exchange(slot.waiting, {});
  for (std::size_t i = waiting.size(); i > 1; --i) {
    std::swap(waiting[i - 1], waiting[random_.below(i)]);
  }
  for (const auto& what : waiting) at_node(node, slot.life, what);
}

void HotplugWorld::leave(std::uint32_t asker, std::uint32_t leaver) {
  Slot& slot = nodes_[asker];
  const hotplug::Peer peer{NodeId{leaver}, Incarnation{nodes_[leaver].incarnation}};
  if (!slot.leaves.insert(peer).second) return;
  at_node(asker, slot.life,
          [this, asker, peer] { nodes_[asker].core->leave(peer, local(nodes_[asker])); });
}

void HotplugWorld::false_alarm(std::uint32_t at, std::uint32_t about) {
  const hotplug::Peer peer{NodeId{about}, Incarnation{nodes_[about].incarnation}};
  at_node(at, nodes_[at].life,
          [this, at, peer] { nodes_[at].core->fabric_down(peer, local(nodes_[at])); });
}

}  // namespace krg::testing

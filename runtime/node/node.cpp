#include "krg/node/node.h"

#include <unistd.h>

#include <cstring>

#include "krg/log/log.h"
#include "members.h"

namespace krg::node {

Node::Node(reactor::Reactor& reactor, Options options)
    : reactor_(reactor),
      options_(std::move(options)),
      started_(reactor.now()),
      rpc_(reactor, {.self = options_.self, .stats = &registry_}),
      memory_(reactor, options_.self.node, options_.memory_patience),
      objects_(rpc_, objects_options()),
      sync_(rpc_, objects_.kddm()),
      watch_(
          reactor, options_.self.node, options_.watch,
          [this](NodeId node, Error why) {
            rpc_.disconnect(node);  // Calls that wait for it end now, at both ends.
            for (const OnLost& told : lost_) told(node, why);
          },
          [this] { return member_ ? members_->membership().lease_until() : reactor_.now(); }) {
  objects_.kddm().add_linker(memory_.linker());
  view_.members.push_back(member());
  view_.coordinator = options_.self.node;
  // Before the fabric: what rpc flushes, the fabric sends in the same turn.
  reactor_.add_poller(rpc_);
  rpc_.set_peer_events({.up =
                            [this](const fabric::Identity& peer) {
                              watch_.connected(peer.node);
                              if (members_ != nullptr) members_->connected(peer);
                            },
                        .down =
                            [this](NodeId node, Error why, bool graceful) {
                              if (members_ != nullptr) members_->connection_lost(node);
                              watch_.connection_lost(node, why, graceful);
                            }});
  serve();
}

objects::Objects::Options Node::objects_options() {
  objects::Objects::Options options;
  options.self = options_.self.node;
  options.serving = [this] { return serving(); };
  options.stats = &registry_;
  options.limit_bytes = options_.memory_budget;
  options.lease_until = [this] {
    return member_ ? members_->membership().lease_until() : Deadline::never().at();
  };
  return options;
}

void Node::serve() {
  rpc_.serve<Ping>(
      [](rpc::Incoming&, wire::Empty&) -> Result<wire::Empty> { return wire::Empty{}; });
  rpc_.serve<Status>(
      [this](rpc::Incoming&, wire::Empty&) -> Result<Status::Reply> { return status(); });
  rpc_.serve<Stats>(
      [this](rpc::Incoming&, wire::Empty&) -> Result<Stats::Reply> { return stats(); });
  memory_.join(rpc_, [this] { return view_.node_ids(); });
}

Node::~Node() {
  gate_.reset();          // Its handlers may wait for rpc.
  reactor_.cancel_all();  // As may others, and use shared objects.
  memory_.stop();
  fabric_.reset();
  reactor_.remove_poller(rpc_);
}

krg::Status Node::open_fabric(const OpenFabric& open) {
  const fabric::Options fabric_options{
      .self = options_.self, .key = options_.key, .listen = options_.listen};
  KRG_TRY_ASSIGN(fabric_, open(reactor_, rpc_, fabric_options));
  rpc_.attach(*fabric_);
  KRG_TRY_ASSIGN(members_, Members::open(reactor_, rpc_, *fabric_, options_.key));
  return {};
}

cluster::Member Node::member() const {
  const std::string address = fabric_ == nullptr ? "" : fabric_->address();
  const auto bytes = std::as_bytes(std::span(address));
  return {options_.self.node,
          options_.self.incarnation,
          options_.host,
          {bytes.begin(), bytes.end()},
          members_ == nullptr ? "" : members_->datagrams()};
}

krg::Status Node::open_gate(std::string path) {
  auto gate = std::make_unique<gate::Server>(
      reactor_, gate::Server::Options{.path = path, .stats = &registry_});
  gate->serve<Ping>(
      [](gate::Call&, const wire::Empty&) -> Result<wire::Empty> { return wire::Empty{}; });
  gate->serve<Status>(
      [this](gate::Call&, const wire::Empty&) -> Result<Status::Reply> { return status(); });
  gate->serve<Stats>(
      [this](gate::Call&, const wire::Empty&) -> Result<Stats::Reply> { return stats(); });
  KRG_TRY(gate->listen());
  gate_ = std::move(gate);
  objects_.open(*gate_);
  memory_.open(*gate_, objects_.kddm());
  sync_.open(*gate_, &objects_.access());
  gate_path_ = std::move(path);
  return {};
}

void Node::add_listener(cluster::ViewListener& listener) {
  listeners_.push_back(&listener);
  if (member_) members_->membership().add_listener(listener);
}

std::shared_ptr<const Node::OnEvent> Node::on_event(OnEvent told) {
  // Shared with whoever is told, who may go while others are.
  auto kept = std::make_shared<const OnEvent>(std::move(told));
  events_.push_back(kept);
  return kept;
}

void Node::tell(const hotplug::NodeEvent& event) {
  std::erase_if(events_, [](const auto& weak) { return weak.expired(); });
  for (std::size_t i = 0; i < events_.size(); ++i) {
    if (const auto told = events_[i].lock()) (*told)(event);
  }
}

// The services from below: this node's view first.
hotplug::Membership& Node::begin_membership() {
  hotplug::Membership& membership = members_->begin(member(), options_.hotplug);
  member_ = true;
  membership.add_listener(*this);
  membership.add_listener(objects_.kddm());
  membership.add_listener(memory_.listener());
  membership.add_listener(sync_);
  for (cluster::ViewListener* const listener : listeners_) membership.add_listener(*listener);
  membership.on_event([this](const hotplug::NodeEvent& event) { tell(event); });
  membership.on_over([this](Errc why) {
    if (over_) over_(why);
  });
  return membership;
}

krg::Status Node::found(cluster::View view) {
  KRG_ASSERT(view.contains(self()));
  KRG_ASSERT(view.members.size() == 1 || members_ != nullptr);
  view_ = std::move(view);
  rpc_.set_epoch(view_.epoch);
  // A lone node that opens its network later is founded again, with the view it has.
  if (objects_.kddm().epoch() < view_.epoch) objects_.kddm().enter(view_);
  if (members_ == nullptr) return {};
  hotplug::Membership& membership = begin_membership();
  KRG_TRY(membership.found(view_));
  members_->listen();
  if (view_.coordinator == self()) membership.stand();
  return {};
}

Co<krg::Status> Node::join(std::vector<cluster::Member> contacts, Deadline deadline) {
  KRG_ASSERT(members_ != nullptr);
  view_.members.clear();  // Nobody's until it is let in.
  hotplug::Membership& membership = begin_membership();
  members_->listen();
  co_return co_await membership.join(std::move(contacts), deadline);
}

hotplug::Membership* Node::membership() noexcept {
  return member_ ? &members_->membership() : nullptr;
}

void Node::stop() noexcept {
  if (member_) members_->membership().stop();
}

void Node::commit(const cluster::ViewChange& change) noexcept {
  view_ = change.after;
  rpc_.set_epoch(view_.epoch);
  for (const NodeId node : change.failed) {
    KRG_WARN("node {} is out of the cluster", node.value);
    watch_.excluded(node);
  }
}

hotplug::Roster Node::roster() const {
  return member_ ? members_->membership().roster() : hotplug::Roster::of(view_);
}

krg::Status Node::serving() const noexcept {
  return member_ ? members_->membership().serving() : krg::Status();
}

std::string Node::host_of(NodeId node) const {
  if (const cluster::Member* const member = view_.find(node)) return member->host;
  const hotplug::Record* const record =
      member_ ? members_->membership().roster().find(node) : nullptr;
  return record == nullptr ? "?" : record->member.host;
}

Status::Reply Node::status() const {
  Status::Reply reply;
  reply.host = options_.host;
  reply.pid = static_cast<std::uint32_t>(getpid());
  reply.up_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(reactor_.now() - started_).count());
  reply.transport = fabric_ == nullptr ? "" : fabric_->provider();
  reply.machine = read_machine();
  const kddm::MemoryUse use = objects_.kddm().memory_use();
  reply.memory_budget = use.limit;
  reply.memory_used = use.used;
  if (describe_) describe_(reply);
  return reply;
}

// What has never happened is left out: it is most of the registry, and a cluster has many nodes.
Stats::Reply Node::stats() const {
  Stats::Reply reply{registry_.snapshot()};
  std::erase_if(reply.counted.items, [](const stats::Item& item) {
    return item.value == 0 && item.distribution.buckets.empty();
  });
  return reply;
}

}  // namespace krg::node

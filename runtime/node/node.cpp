#include "krg/node/node.h"

#include <unistd.h>

#include <cstring>

#include "krg/log/log.h"

namespace krg::node {
Node::Node(reactor::Reactor& reactor, Options options)
    : reactor_(reactor),
      options_(std::move(options)),
      started_(reactor.now()),
      rpc_(reactor, {.self = options_.self, .stats = &registry_}),
      watch_(rpc_, options_.watch, [this](NodeId node, Error why) {
        // Calls that wait for it end now.
        rpc_.set_address(node, "");
        rpc_.disconnect(node);
        for (const OnLost& told : lost_) told(node, why);
      }) {
  view_.members.push_back(
      {options_.self.node, options_.self.incarnation, options_.host, std::vector<std::byte>()});
  view_.coordinator = options_.self.node;
  reactor_.add_poller(
      rpc_);  // Before the fabric: what rpc flushes, the fabric sends in the same turn.
  rpc_.set_peer_events({.up = {}, .down = [this](NodeId node, Error why, bool graceful) {
                          watch_.connection_lost(node, why, graceful);
                        }});
  rpc_.serve<Ping>(
      [](rpc::Incoming&, wire::Empty&) -> Result<wire::Empty> { return wire::Empty{}; });
  rpc_.serve<Status>(
      [this](rpc::Incoming&, wire::Empty&) -> Result<Status::Reply> { return status(); });
  rpc_.serve<Stats>(
      [this](rpc::Incoming&, wire::Empty&) -> Result<Stats::Reply> { return stats(); });
}

Node::~Node() {
  gate_.reset();  // Its handlers may wait for rpc.
  fabric_.reset();
  reactor_.remove_poller(rpc_);
}

krg::Status Node::open_fabric(const OpenFabric& open) {
  const fabric::Options fabric_options{
      .self = options_.self, .key = options_.key, .listen = options_.listen};
  KRG_TRY_ASSIGN(fabric_, open(reactor_, rpc_, fabric_options));
  rpc_.attach(*fabric_);
  return {};
}

std::string Node::address() const { return fabric_ == nullptr ? "" : fabric_->address(); }

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
  gate_path_ = std::move(path);
  return {};
}

void Node::set_view(cluster::View view) {
  KRG_ASSERT(view.contains(self()));
  view_ = std::move(view);
  rpc_.set_epoch(view_.epoch);
  for (const cluster::Member& member : view_.members) {
    if (member.node == self()) continue;
    rpc_.set_address(member.node, std::string(reinterpret_cast<const char*>(member.address.data()),
                                              member.address.size()));
  }
}

std::string Node::host_of(NodeId node) const {
  const cluster::Member* const member = view_.find(node);
  return member == nullptr ? "?" : member->host;
}

Status::Reply Node::status() const {
  Status::Reply reply;
  reply.host = options_.host;
  reply.pid = static_cast<std::uint32_t>(getpid());
  reply.up_ms = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::milliseconds>(reactor_.now() - started_).count());
  reply.transport = fabric_ == nullptr ? "" : fabric_->provider();
  reply.machine = read_machine();
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

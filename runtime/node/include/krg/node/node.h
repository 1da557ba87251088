// node/node.h: what a krgd holds: its place in the cluster and the way to the other nodes.
//
// Model    made with an identity; open_fabric() gives it an address, unless it is the only node and
//          needs none; set_view() then says who the others are. Membership is what the start of the
//          cluster agreed on: a node that is lost stays lost. Services of higher layers register at
//          rpc() and are told of losses.
// Threads  owned by the reactor's thread.
// Blocks   open_fabric() for tens of milliseconds.
// Source   docs/design/layers.md; docs/design/launch.md
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "krg/cluster/view.h"
#include "krg/error/result.h"
#include "krg/fabric/fabric.h"
#include "krg/gate/server.h"
#include "krg/node/status.h"
#include "krg/node/watch.h"
#include "krg/rpc/rpc.h"
#include "krg/stats/registry.h"

namespace krg::node {

class Node {
 public:
  struct Options {
    fabric::Identity self;
    std::string cluster;
    std::string host;
    fabric::Key key{};
    std::string listen;  // As fabric::Options::listen.
    Watch::Options watch;
  };
  // A provider's open(), which adds the fabric to the reactor.
  using OpenFabric = std::function<Result<std::unique_ptr<fabric::Fabric>>(
      reactor::Reactor&, fabric::EventSink&, const fabric::Options&)>;
  // Told of each node that is lost, once, in the order of registration.
  using OnLost = std::function<void(NodeId, Error)>;
  // What the layers above add to this node's status.
  using Describe = std::function<void(Status::Reply&)>;

  Node(reactor::Reactor& reactor, Options options);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  // Errors  those of the provider.
  krg::Status open_fabric(const OpenFabric& open);
  // "" before open_fabric().
  std::string address() const;
  // Lets the tasks of this node in by the gate: a socket at `path`, in a folder that is ours alone.
  // Its first services are Ping, Status and Stats.
  // Errors  those of gate::Server::listen().
  krg::Status open_gate(std::string path);
  // Where tasks find it; "" before open_gate().
  const std::string& gate_path() const noexcept { return gate_path_; }
  // Requires  open_gate() has succeeded.
  gate::Server& gate() noexcept { return *gate_; }
  // Requires  the view names this node.
  void set_view(cluster::View view);

  NodeId self() const noexcept { return options_.self.node; }
  const Options& options() const noexcept { return options_; }
  const cluster::View& view() const noexcept { return view_; }
  // The host of a member; "?" for anybody else.
  std::string host_of(NodeId node) const;
  reactor::Reactor& reactor() noexcept { return reactor_; }
  rpc::Rpc& rpc() noexcept { return rpc_; }
  Watch& watch() noexcept { return watch_; }
  // What this node counts: rpc and the gate do, the layers above may.
  stats::Registry& registry() noexcept { return registry_; }
  void on_lost(OnLost told) { lost_.push_back(std::move(told)); }
  void set_describe(Describe describe) { describe_ = std::move(describe); }

  Status::Reply status() const;
  Stats::Reply stats() const;

 private:
  reactor::Reactor& reactor_;
  const Options options_;
  const TimePoint started_;
  cluster::View view_;
  stats::Registry registry_;  // Outlives those that count in it.
  rpc::Rpc rpc_;
  std::unique_ptr<fabric::Fabric> fabric_;
  std::string gate_path_;
  std::unique_ptr<gate::Server> gate_;
  std::vector<OnLost> lost_;
  Describe describe_;
  Watch watch_;
};

}  // namespace krg::node

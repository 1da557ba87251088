// node/node.h: what a krgd holds: its place in the cluster and the way to the other nodes.
//
// Model    made with an identity; open_fabric() gives it an address, unless it is the only node and
//          needs none; found() or join() make it a member. From then on view() is what the members
//          agree on and this node's services have committed. Services of higher layers register at
//          rpc(), take part in changes as listeners, and are told of losses.
// Threads  owned by the reactor's thread.
// Blocks   open_fabric() for tens of milliseconds.
// Source   docs/design/layers.md; docs/design/launch.md; docs/design/hotplug.md
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "krg/cluster/view.h"
#include "krg/cluster/view_listener.h"
#include "krg/error/result.h"
#include "krg/fabric/fabric.h"
#include "krg/gate/server.h"
#include "krg/hotplug/membership.h"
#include "krg/mm/memory.h"
#include "krg/node/status.h"
#include "krg/node/watch.h"
#include "krg/objects/objects.h"
#include "krg/rpc/rpc.h"
#include "krg/stats/registry.h"
#include "krg/sync/sync.h"

namespace krg::node {

class Members;

class Node final : private cluster::ViewListener {
 public:
  struct Options {
    fabric::Identity self;
    std::string cluster;
    std::string host;
    fabric::Key key{};
    std::string listen;  // As fabric::Options::listen.
    Watch::Options watch;
    hotplug::Options hotplug = {};
    std::uint64_t memory_budget = 0;  // As objects::Objects::Options::limit_bytes.
    // How long a task waits for a page that no node has room for; as mm::Memory::Limits.
    Duration memory_patience = std::chrono::seconds(30);
  };
  // A provider's open(), which adds the fabric to the reactor.
  using OpenFabric = std::function<Result<std::unique_ptr<fabric::Fabric>>(
      reactor::Reactor&, fabric::EventSink&, const fabric::Options&)>;
  // Told of each node that is lost, in the order of registration; see Watch.
  using OnLost = std::function<void(NodeId, Error)>;
  using OnEvent = std::function<void(const hotplug::NodeEvent&)>;
  // What the layers above add to this node's status.
  using Describe = std::function<void(Status::Reply&)>;

  Node(reactor::Reactor& reactor, Options options);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node() override;

  // The network, and a port for heartbeats. A node that stays alone needs neither.
  // Errors  those of the provider; system_error, no_device  no port for heartbeats.
  krg::Status open_fabric(const OpenFabric& open);
  // This node as others are to know it; without addresses before open_fabric().
  cluster::Member member() const;
  // Lets the tasks of this node in by the gate: a socket at `path`, in a folder that is ours alone.
  // Its first services are Ping, Status and Stats, and those of shared objects.
  // Errors  those of gate::Server::listen().
  krg::Status open_gate(std::string path);
  // Where tasks find it; "" before open_gate().
  const std::string& gate_path() const noexcept { return gate_path_; }
  // Requires  open_gate() has succeeded.
  gate::Server& gate() noexcept { return *gate_; }

  // Takes part in every change of the view, above those that were added before.
  // Requires  before join(); before found() or in its turn.
  void add_listener(cluster::ViewListener& listener);
  // Tells `told` of whatever becomes of a node, for as long as the caller keeps what is returned.
  [[nodiscard]] std::shared_ptr<const OnEvent> on_event(OnEvent told);
  // Told once that this node is no member any more: it has left (ok), or was excluded (stale).
  void on_over(std::function<void(Errc)> told) { over_ = std::move(told); }
  // As a member of the first view, the same everywhere.
  // Requires  the view names this node; open_fabric(), if it names others.
  // Errors    protocol_error
  krg::Status found(cluster::View view);
  // Asks `contacts`, members of a cluster with this node's key, to be let in.
  // Requires  open_fabric().
  // Errors    as hotplug::Membership::join().
  Co<krg::Status> join(std::vector<cluster::Member> contacts, Deadline deadline);
  // nullptr: a lone node. Its calls are those of the header; the rest is Node's.
  hotplug::Membership* membership() noexcept;
  // Neither speaks nor listens as a member any more: the process is about to end.
  void stop() noexcept;

  NodeId self() const noexcept { return options_.self.node; }
  const Options& options() const noexcept { return options_; }
  const cluster::View& view() const noexcept { return view_; }
  // Every node that is or was known, with its state.
  hotplug::Roster roster() const;
  // Whether shared state may be served now; see hotplug::Membership::serving().
  krg::Status serving() const noexcept;
  // The host of a node that is or was a member; "?" for anybody else.
  std::string host_of(NodeId node) const;
  reactor::Reactor& reactor() noexcept { return reactor_; }
  rpc::Rpc& rpc() noexcept { return rpc_; }
  Watch& watch() noexcept { return watch_; }
  kddm::Kddm& kddm() noexcept { return objects_.kddm(); }
  mm::Memory& memory() noexcept { return memory_; }
  // What this node counts: rpc and the gate do, the layers above may.
  stats::Registry& registry() noexcept { return registry_; }
  void on_lost(OnLost told) { lost_.push_back(std::move(told)); }
  void set_describe(Describe describe) { describe_ = std::move(describe); }

  Status::Reply status() const;
  Stats::Reply stats() const;

 private:
  // cluster::ViewListener: the lowest.
  const char* name() const noexcept override { return "node"; }
  Co<krg::Status> prepare(const cluster::ViewChange&, Deadline) override {
    co_return krg::Status();
  }
  void commit(const cluster::ViewChange& change) noexcept override;
  hotplug::Membership& begin_membership();
  void tell(const hotplug::NodeEvent& event);
  void serve();
  objects::Objects::Options objects_options();

  reactor::Reactor& reactor_;
  const Options options_;
  const TimePoint started_;
  cluster::View view_;
  stats::Registry registry_;  // Outlives those that count in it.
  rpc::Rpc rpc_;
  mm::Memory memory_;  // Outlives the objects, some of which are its pages.
  objects::Objects objects_;
  sync::Sync sync_;
  std::unique_ptr<fabric::Fabric> fabric_;
  std::string gate_path_;
  std::unique_ptr<gate::Server> gate_;
  std::vector<OnLost> lost_;
  std::vector<cluster::ViewListener*> listeners_;
  std::vector<std::weak_ptr<const OnEvent>> events_;
  std::function<void(Errc)> over_;
  Describe describe_;
  std::unique_ptr<Members> members_;  // None of a lone node.
  bool member_ = false;               // found() or join() has made its membership.
  Watch watch_;
};

}  // namespace krg::node

// The nodes of one side of a bench of many nodes: node 0 in the client, all others in the server.
//
// Each has a fabric, an Rpc and a Kddm of its own; those of one process share a reactor, and so a
// core. Who compares rpc with kddm does it between such nodes, so that both poll the same fabrics.
#pragma once

#include <memory>
#include <vector>

#include "krg/harness/contestant.h"
#include "krg/harness/settings.h"
#include "krg/kddm/kddm.h"
#include "krg/reactor/reactor.h"
#include "krg/rpc/rpc.h"

namespace krg::bench {

class Nodes {
 public:
  Nodes(const harness::Settings& settings, unsigned count) : settings_(settings), count_(count) {}
  Nodes(const Nodes&) = delete;
  Nodes& operator=(const Nodes&) = delete;
  ~Nodes();

  // Opens this side's nodes, and tells all where the others are.
  Status open(harness::Side side, harness::Meeting& meeting);
  // Runs the reactor until the baton is lost.
  void serve(const harness::Baton& baton);
  // Runs it until `work` has ended.
  Status run(Co<Status> work);
  // Runs several, each as a coroutine of its own.
  Status run(std::vector<Co<Status>> works);

  reactor::Reactor& reactor() noexcept { return reactor_; }
  // This side's first node: node 0 in the client.
  rpc::Rpc& rpc() noexcept { return nodes_.front()->rpc; }
  kddm::Kddm& kddm() noexcept { return nodes_.front()->kddm; }

  // Calls visit(Rpc&, Kddm&) for each node of this side; after open().
  template <class Visit>
  void for_each(Visit&& visit) {
    for (const auto& node : nodes_) visit(node->rpc, node->kddm);
  }

 private:
  struct Node {
    Node(reactor::Reactor& reactor, NodeId id)
        : self(id),
          rpc(reactor, rpc::RpcOptions{.self = {id, Incarnation{1}}}),
          kddm(rpc, {.self = id, .serving = {}}) {}

    const NodeId self;
    rpc::Rpc rpc;
    kddm::Kddm kddm;
    std::unique_ptr<fabric::Fabric> fabric;  // Gone before the Rpc.
  };

  // The view that all enter when both sides turn their reactors for the first time.
  void enter();
  Co<void> keep(Co<Status> work);

  const harness::Settings settings_;
  const unsigned count_;
  const reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  std::vector<std::unique_ptr<Node>> nodes_;
  bool entered_ = false;
  std::size_t running_ = 0;
  Status status_;
};

}  // namespace krg::bench

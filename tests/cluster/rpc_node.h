// A node of the rpc simulation: services that note what they execute, and clients that check what
// they get.
#pragma once

#include <cstdint>
#include <map>
#include <string>

#include "rpc_end.h"

namespace krg::cluster_test {

// What all nodes and all their lives have done, and what was wrong with it.
struct Ledger {
  struct Execution {
    unsigned count = 0;
    Incarnation incarnation;
  };
  struct Life {
    NodeId node;
    Incarnation incarnation;
    auto operator<=>(const Life&) const = default;
  };
  using Way = std::pair<Life, Life>;  // From, to.

  std::map<std::pair<std::uint64_t, NodeId>, Execution> executions;  // By request and node.
  std::map<Way, std::uint64_t> last_notice;
  std::map<std::pair<Way, std::uint64_t>, std::uint64_t> last_of_key;
  std::map<Errc, std::uint64_t> outcomes;
  std::uint64_t next_request = 0;
  std::uint64_t clients = 0;  // That run now.
  bool stopping = false;
  std::string complaint;  // The first thing that was wrong.

  void complain(std::string what) {
    if (complaint.empty()) complaint = std::move(what);
  }
  void executed(std::uint64_t request, const Life& where);
};

class RpcNode {
 public:
  RpcNode(sim::World& world, Ledger& ledger, NodeId node, Incarnation incarnation);
  // Its end requires that it is killed, or that the world runs no more.

  void spawn_clients(int count);
  // Requires  followed by World::wake().
  void disable(std::uint64_t which) noexcept;
  void enable_all();
  // Multicasts that this node has handed on as an inner node of their tree.
  std::uint64_t handed_on() const;
  rpc::Rpc& rpc() noexcept { return rpc_; }
  Ledger::Life life() const noexcept { return life_; }
  // The first thing that is left over at rest; empty if nothing is.
  std::string left_over() const;

 private:
  void serve();
  void serve_conversations();
  Ledger::Life life_of(NodeId node, Incarnation incarnation) const { return {node, incarnation}; }
  Co<void> client();
  Co<Status> one_call(NodeId to);
  Co<Status> call_inline(NodeId to);
  Co<Status> call_slow(NodeId to);
  Co<Status> call_forwarded(NodeId to);
  Co<Status> call_with_data(NodeId to);
  Co<Status> call_all_nodes(NodeId to);
  Co<Status> converse(NodeId to);
  Co<Status> note(NodeId to);
  Deadline deadline();
  // Whether a reply is of the request, executed where it says; complains if not.
  void check(std::uint64_t request, const struct Done& reply);

  sim::World& world_;
  Ledger& ledger_;
  const Ledger::Life life_;
  std::map<NodeId, std::uint64_t> notices_;
  std::map<std::pair<NodeId, std::uint64_t>, std::uint64_t> keyed_;
  RpcEnd end_;  // Gone before all that its coroutines use.
  reactor::Reactor& reactor_;
  rpc::Rpc& rpc_;
};

}  // namespace krg::cluster_test

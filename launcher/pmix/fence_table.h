// pmix/fence_table.h: the fences that this node gathers: those whose lowest node it is.
//
// Model    each node arrives once with a blob; when the last one has, all get everyone's blobs. A
// fence
//          whose node is lost fails for all who wait.
// Threads  owned by the reactor's thread.
// Blocks   never; arrive() suspends.
// Source   docs/design/pmi.md
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "krg/reactor/event.h"
#include "messages.h"

namespace krg::pmix {

class FenceTable {
 public:
  FenceTable(reactor::Reactor& reactor, NodeId self) : reactor_(reactor), self_(self) {}

  // A number that no other fence of the cluster gets.
  std::uint64_t next_id() noexcept { return std::uint64_t{self_.value} << 32 | ++ids_; }

  // Errors  timed_out; peer_down  a node of the fence is lost; protocol_error; limit_reached.
  Co<Result<FenceResult>> arrive(NodeId from, FenceArrival arrival, Deadline deadline);
  void node_lost(NodeId node);

 private:
  static constexpr std::size_t kOpenMax = 65536;

  struct Fence {
    explicit Fence(reactor::Reactor& reactor) : over(reactor) {}
    std::vector<NodeId> nodes;
    std::vector<std::optional<Blob>> arrived;  // By index in `nodes`.
    std::size_t missing = 0;
    FenceResult result;
    std::optional<Error> error;
    reactor::Event over;
  };

  Result<std::shared_ptr<Fence>> enter(NodeId from, FenceArrival arrival);

  reactor::Reactor& reactor_;
  const NodeId self_;
  std::uint32_t ids_ = 0;
  std::map<std::string, std::shared_ptr<Fence>> open_;  // Shared with the coroutines that wait.
};

}  // namespace krg::pmix

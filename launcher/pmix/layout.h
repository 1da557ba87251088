// pmix/layout.h: who is where in a job, worked out once from its description.
//
// Model    hosts are numbered by their first rank; nodes of one host name are one host.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/pmi.md
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/error/result.h"
#include "krg/pmix/job.h"

namespace krg::pmix {

struct Layout {
  std::vector<std::string> hosts;                // Those that have ranks.
  std::vector<std::vector<Rank>> ranks_of_host;  // In ascending order.
  std::vector<std::uint32_t> host_of;            // By rank.
  std::vector<std::uint32_t> local_rank;         // By rank: its place on the host.
  std::vector<std::uint32_t> app_rank;           // By rank: its place in the app.
  std::vector<std::vector<Rank>> ranks_of_app;
  std::vector<Rank> mine;     // The ranks of this node.
  std::vector<NodeId> nodes;  // Those that have ranks, sorted.

  NodeId node_of(const JobDescription& job, Rank rank) const {
    return job.nodes[job.ranks[rank].node_index].node;
  }
};

// Errors  invalid_argument, with the reason.
Result<Layout> lay_out(const JobDescription& job, NodeId self);

}  // namespace krg::pmix

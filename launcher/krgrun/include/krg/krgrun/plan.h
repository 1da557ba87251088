// krgrun/plan.h: a Job on the machines that are there.
//
// Model    pure: a Job and the topologies of its nodes -> where every rank goes, or one line that
//          says why not. The nodes of an embedded cluster share this machine's cores.
// Threads  immutable once made.
// Blocks   never.
// Source   krgrun(1) "Placement"; docs/design/placement.md
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "krg/krgrun/job.h"
#include "krg/placement/map.h"

namespace krg::krgrun {

struct NodeTopology {
  std::string name;  // Of the host; "node0", "node1", ... in an embedded cluster.
  std::shared_ptr<const topo::Topology> topology;  // Shared by nodes that look alike.
};

struct Plan {
  std::vector<NodeTopology> nodes;  // Keeps alive what `request` points to.
  placement::Request request;
  placement::Map map;
};

// `nodes` are the nodes of the cluster in the order of their ids: for Kind::hosts those of
// Job::cluster.hosts, for Kind::embedded any number of mentions of this machine.
// Errors  invalid_argument, limit_reached  with one line in `complaint`.
Result<Plan> plan(const Job& job, std::vector<NodeTopology> nodes, std::string& complaint);

// The nodes that the job would have if every one of them looked like this machine: what an embedded
// cluster is, and what --dry-run assumes.
// Errors  of topo::Topology::machine().
Result<std::vector<NodeTopology>> nodes_like_this_machine(const Job& job);

// What --display-map, --display-bindings and --dry-run print: text, or JSON with --json. Empty if
// none of them was given.
std::string display(const Job& job, const Plan& plan);

}  // namespace krg::krgrun

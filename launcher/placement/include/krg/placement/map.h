// placement/map.h: which rank runs where.
//
// Model    a pure function: nodes with slots and topologies, apps with counts, a policy -> a map
//          or one sentence that says why not. The same question always has the same answer.
// Threads  immutable; place() is safe.
// Blocks   never (a rankfile or seq file is read before, see Request::file_text).
// Source   prterun(1) "Mapping, ranking, and binding"; docs/design/placement.md
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "krg/error/result.h"
#include "krg/placement/policy.h"
#include "krg/topo/topology.h"

namespace krg::placement {

struct Node {
  std::string name;
  std::uint32_t slots = 0;                   // 0 = as many as it has cores.
  std::uint32_t max_slots = 0;               // 0 = no hard limit.
  bool local = false;                        // krgrun runs on it; for :NOLOCAL.
  const topo::Topology* topology = nullptr;  // Never null; nodes that look alike may share one.
  topo::CpuSet cpus;                         // The part of it to use; empty = all.
};

struct AppRequest {
  std::uint32_t ranks = 0;           // 0 = as many as its nodes have slots.
  std::vector<std::uint32_t> nodes;  // Indices of the nodes it may use; empty = all.
};

struct Request {
  std::vector<Node> nodes;
  std::vector<AppRequest> apps;
  Policy policy;
  std::uint32_t per_node = 0;  // --ppn: at most so many ranks on a node; 0 = not said.
  std::string file_text;       // What is in policy.map->file, for seq and rankfile.
  // Nobody stated slots (an embedded cluster): unless the user forbids it, more ranks than cores
  // are fine, up to this many per hardware thread. 0 = slots are meant.
  std::uint32_t free_per_thread = 0;
};

struct Rank {
  std::uint32_t rank = 0;
  std::uint32_t node = 0;        // Index into Request::nodes.
  std::uint32_t local_rank = 0;  // Among the ranks of the job on its node, by rising rank.
  std::uint32_t app = 0;
  std::uint32_t app_rank = 0;                // Among the ranks of its app.
  topo::CpuSet cpus;                         // Where it may run; empty = not bound.
  topo::Level level = topo::Level::machine;  // What it was mapped to,
  std::uint32_t object = 0;                  // and which of them.
};

struct Map {
  std::vector<Rank> ranks;                          // By rising rank.
  std::vector<std::uint32_t> nodes;                 // Those that have ranks, rising.
  std::vector<std::vector<std::uint32_t>> on_node;  // Per Request::nodes: its ranks, rising.
  std::vector<bool> oversubscribed;                 // Per Request::nodes: more ranks than slots.
  Policy policy;                                    // Complete: what was used.
};

// Requires  every Node has a topology.
// Cost      O(ranks * objects of a node).
// Errors    invalid_argument, limit_reached  with one line in `complaint` that says what to do.
Result<Map> place(const Request& request, std::string& complaint);

// Deals the cores of one machine to `nodes` nodes that share it, for Node::cpus: contiguous parts
// of the same number of cores (the first ones get the rest), or one core each in turn if there are
// more nodes than cores. Requires  nodes > 0.
std::vector<topo::CpuSet> divide(const topo::Topology& machine, std::uint32_t nodes);

}  // namespace krg::placement

// pmix/job.h: what a job is, as its process-management servers and its MPI library must know it.
//
// Model    plain values that krgrun fills in and sends to every node; each node reads its own part.
// Nodes
//          with the same host name are one host to MPI: the nodes of an embedded cluster share a
//          kernel, /dev/shm and a host name, and an MPI library that took them for different hosts
//          would give two ranks the same shared-memory name.
// Threads  immutable once given away.
// Blocks   never.
// Source   docs/design/pmi.md
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "krg/base/ids.h"

namespace krg::pmix {

using Rank = std::uint32_t;
// In a ProcessName: every rank of the name space. Same value as in PMIx.
inline constexpr Rank kEveryRank = 0xfffffffeu;

// A rank of a job; the job is known by its name space, a name that is unique in the cluster.
struct ProcessName {
  std::string name_space;
  Rank rank = 0;

  auto operator<=>(const ProcessName&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.name_space, m.rank); }
};

struct JobNode {
  NodeId node;
  std::string host;  // As MPI shall see it; equal names mean one host.
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.host); }
};

struct JobRank {
  std::uint32_t node_index = 0;  // Into JobDescription::nodes.
  std::uint32_t app = 0;         // Into JobDescription::apps.
  std::string cpuset;            // hwloc's list syntax, "0-3,8"; empty when not bound.
  static void wire_fields(auto& m, auto&& visit) { visit(m.node_index, m.app, m.cpuset); }
};

struct JobApp {
  std::vector<std::string> argv;
  std::string working_folder;
  std::vector<std::string> environment;  // "NAME=value", over what the user's holds.
  static void wire_fields(auto& m, auto&& visit) { visit(m.argv, m.working_folder, m.environment); }
};

using KeyValues = std::vector<std::pair<std::string, std::string>>;

struct JobDescription {
  std::string name_space;      // At most 63 characters without blanks.
  std::vector<JobNode> nodes;  // In the order of their NodeId.
  std::vector<JobRank> ranks;  // Indexed by rank.
  std::vector<JobApp> apps;
  std::uint32_t universe_size = 0;  // Slots in the allocation; 0 when unknown.
  std::string map_by = "slot", rank_by = "slot", bind_to = "none";
  bool oversubscribed = false;  // More ranks than processors on some node.
  std::string folder;           // Existing, private folder for the job's temporary files, per node.
  KeyValues preput;             // Keys that a spawning parent put before the job starts.
  std::optional<ProcessName> parent;  // Who spawned this job.

  static void wire_fields(auto& m, auto&& visit) {
    visit(m.name_space, m.nodes, m.ranks, m.apps, m.universe_size, m.map_by, m.rank_by, m.bind_to,
          m.oversubscribed, m.folder, m.preput, m.parent);
  }
};

// A request of a rank to start more ranks: one new job.
struct SpawnApp {
  std::vector<std::string> argv;
  std::vector<std::string> environment;  // To be copied to JobApp::environment.
  std::string working_folder;
  std::uint32_t processes = 0;
  KeyValues info;  // "host", "wdir" ... of MPI_Info, or "pmix.*" keys, as text.
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.argv, m.environment, m.working_folder, m.processes, m.info);
  }
};

struct SpawnRequest {
  ProcessName parent;
  std::vector<SpawnApp> apps;
  KeyValues info;    // For the job as a whole.
  KeyValues preput;  // To be copied to JobDescription::preput.
  static void wire_fields(auto& m, auto&& visit) { visit(m.parent, m.apps, m.info, m.preput); }
};

}  // namespace krg::pmix

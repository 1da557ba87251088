// jobs/spec.h: a job as krgd gets it: placed, complete, nothing left to decide.
//
// Model    values. Nodes and apps are named by their index in the spec.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/launch.md, "A job"
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "krg/base/ids.h"
#include "krg/capability/capability.h"
#include "krg/error/result.h"
#include "krg/pmix/job.h"
#include "krg/wire/codec.h"

namespace krg::jobs {

// Unique in the cluster: the node that leads it, and its count there.
using JobId = StrongId<struct JobIdTag, std::uint64_t>;

inline constexpr std::uint32_t kEveryRank = 0xffffffffu;
// In one elastic job, ended ones counted.
inline constexpr std::uint32_t kTasksMax = 1u << 20;

struct AppSpec {
  std::string program;  // What is executed; "" = argv[0].
  std::vector<std::string> argv;
  std::string directory;
  std::vector<std::string> environment;  // NAME=value, all of it.
  std::vector<std::string> overrides;    // Of a spawned app: what goes over `environment`.
  capability::Sets capabilities{};
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.program, m.argv, m.directory, m.environment, m.overrides, m.capabilities);
  }
};

struct RankSpec {
  std::uint32_t node = 0;  // Index into JobSpec::nodes.
  std::uint32_t app = 0;
  std::uint32_t local_rank = 0;
  std::vector<std::uint32_t> cpus;  // Empty = not bound.
  static void wire_fields(auto& m, auto&& visit) { visit(m.node, m.app, m.local_rank, m.cpus); }
};

// How a job grows onto nodes that join its cluster.
struct Elastic {
  std::uint32_t per_node = 0;   // Tasks on each of them; 0 = the job keeps its size.
  std::uint32_t tasks_max = 0;  // That run at a time; 0 = no bound.
  std::vector<NodeId> known;    // Who was in the cluster when the job was placed: no joiners.
  // How tasks on a joiner are bound, in krgrun's words; no bind_to: not at all.
  std::string map_by, bind_to;
  bool bind_stated = false;  // By the user: where it can not be had, no tasks are started.
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.per_node, m.tasks_max, m.known, m.map_by, m.bind_to, m.bind_stated);
  }
};

enum class InputTo : std::uint8_t { none, one, all };

struct JobSpec {
  std::vector<NodeId> nodes;  // Rising.
  std::vector<AppSpec> apps;
  std::vector<RankSpec> ranks;  // Indexed by rank.
  InputTo input_to = InputTo::none;
  std::uint32_t input_rank = 0;
  bool pmix = true;  // Offer PMIx beside PMI-1.
  bool finalize_breaker = true;
  std::string map_by, rank_by, bind_to;
  bool oversubscribed = false;
  std::uint32_t universe_size = 0;
  std::uint32_t kill_grace_ms = 2000;  // From SIGTERM to SIGKILL.
  // Of a job that a rank has spawned: which one, and what it put before.
  std::optional<pmix::ProcessName> parent;
  pmix::KeyValues preput;
  Elastic elastic;

  bool is_elastic() const noexcept { return elastic.per_node > 0; }
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.nodes, m.apps, m.ranks, m.input_to, m.input_rank, m.pmix, m.finalize_breaker, m.map_by,
          m.rank_by, m.bind_to, m.oversubscribed, m.universe_size, m.kill_grace_ms, m.parent,
          m.preput, m.elastic);
  }
};

// Whether a spec from outside names only what is in it.
// Errors  invalid_argument
Status check(const JobSpec& spec);

// Adds tasks of the job's only program on `node`, which may be of the job already, with the numbers
// that follow. Returns the first of them.
// Requires  an elastic spec that check() accepts.
std::uint32_t extend(JobSpec& spec, NodeId node, std::uint32_t count);

}  // namespace krg::jobs

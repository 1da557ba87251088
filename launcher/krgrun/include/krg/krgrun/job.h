// krgrun/job.h: what one command line of krgrun asks for.
//
// Model    values, complete and checked: hosts resolve, programs exist where that can be known
//          here, files are read. The runner starts it without looking at the command line again.
// Threads  immutable once made.
// Blocks   never.
// Source   krgrun(1)
#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <vector>

#include "krg/capability/capability.h"
#include "krg/placement/hosts.h"
#include "krg/placement/map.h"
#include "krg/placement/policy.h"
#include "krg/settings/settings.h"

namespace krg::krgrun {

// One segment of the command line: `-n 4 ./a : -n 2 ./b` has two.
struct App {
  std::uint32_t ranks = 0;               // 0 = one per slot of its nodes.
  std::vector<std::string> argv;         // Never empty; argv[0] as typed.
  std::string program;                   // Absolute if it was found on this machine, else as typed.
  std::string directory;                 // Where it runs; absolute.
  std::vector<std::string> environment;  // NAME=value, all of it but what the PMI adds.
  std::vector<std::string> hosts;        // Names in ClusterChoice::hosts; empty = all.
  capability::Sets capabilities{};
};

struct ClusterChoice {
  enum class Kind : std::uint8_t {
    embedded,  // `nodes` krgd on this machine, for this job.
    hosts,     // One krgd on each of `hosts`, for this job.
    standing   // The cluster that `name` or KRG_CLUSTER says, or this user's only one.
  };
  Kind kind = Kind::embedded;
  std::uint32_t nodes = 1;  // Of an embedded cluster.
  // In the user's order. Kind::standing: the ones to use, or none.
  std::vector<placement::Host> hosts;
  // embedded, hosts: what to call it, "" = choose; standing: which one, "" = the only one.
  std::string name;
  std::string launch_agent;  // Called as `CMD host command...`; "" = ssh.
  std::string this_host;     // This machine, for :NOLOCAL.
  // False: nobody said how many ranks fit; see placement::Request::free_per_thread.
  bool slots_stated = false;
  // embedded, hosts: of each node, whatever it finds itself; 0: as it finds.
  config::Size memory_budget{};
};

struct Stdin {
  enum class To : std::uint8_t { one, all, none };
  To to = To::one;
  std::uint32_t rank = 0;
};

struct Output {
  bool tag = false;        // "[rank] " before each line.
  bool timestamp = false;  // The time of day before each line.
  std::string directory;   // One file per rank and stream below it; "" = not.
  std::string file;        // A pattern: %r rank, %h host, %j job, %p pid, %% percent; "" = not.
};

enum class Mpi : std::uint8_t { automatic, pmix, pmi1 };

// Whether the job grows onto nodes that join its cluster.
struct Elastic {
  bool grows = false;
  std::uint32_t tasks_max = 0;  // At a time; 0 = no bound.
};

struct Job {
  std::vector<App> apps;
  ClusterChoice cluster;
  placement::Policy policy;
  std::uint32_t per_node = 0;  // --ppn; 0 = not said.
  std::string placement_file;  // The text of a rankfile or seq file.
  Stdin in;
  Output out;
  std::chrono::milliseconds timeout{0};        // 0 = none.
  std::chrono::milliseconds kill_grace{2000};  // From SIGTERM to SIGKILL.
  Mpi mpi = Mpi::automatic;
  bool finalize_breaker = true;
  Elastic elastic;
  bool display_map = false;
  bool display_bindings = false;
  bool dry_run = false;
  bool json = false;
  int verbosity = 0;  // -1 = quiet, 1, 2, ...
  // What files and environment say. Where an option says the same, the member above counts.
  settings::Settings settings;
};

}  // namespace krg::krgrun

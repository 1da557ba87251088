// krg_kddm_growth: what operations and changes of view cost in simulated clusters of 8 to 4,096
// nodes.
#include <fmt/core.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "growth_cluster.h"
#include "growth_operations.h"
#include "growth_views.h"

using namespace krg;         // NOLINT
using namespace krg::bench;  // NOLINT

namespace {

constexpr const char* kName = "krg_kddm_growth";
// NodeId goes further, but the memory of a machine does not.
constexpr std::uint32_t kNodesMax = 8192;

struct Settings {
  std::vector<std::uint32_t> nodes{8, 64, 512, 4096};
  std::uint64_t objects = 10'000'000;
  bool whole = false;
  bool json = false;
};

nlohmann::ordered_json line_for(const Settings& settings, std::uint32_t nodes,
                                const std::string& row) {
  nlohmann::ordered_json line;
  line["bench"] = kName;
  line["row"] = row;
  line["transport"] = "sim";
  line["nodes"] = nodes;
  line["whole"] = settings.whole;
  return line;
}

void print(const Settings& settings, std::uint32_t nodes,
           const std::vector<OperationFigures>& all) {
  if (!settings.json) fmt::print("{} nodes\n  {:<28} {:>9} {:>6}\n", nodes, "", "messages", "hops");
  for (const OperationFigures& figures : all) {
    if (settings.json) {
      auto line = line_for(settings, nodes, figures.name);
      line["messages"] = figures.messages;
      line["hops"] = figures.hops;
      fmt::print("{}\n", line.dump());
    } else {
      fmt::print("  {:<28} {:>9.1f} {:>6.1f}\n", figures.name, figures.messages, figures.hops);
    }
  }
  std::fflush(stdout);
}

void print(const Settings& settings, std::uint32_t nodes, const std::string& row,
           const ViewCosts& costs, const ViewFigures& figures, bool full) {
  const std::uint64_t touched = full ? costs.held + costs.home + costs.heir : 0;
  const double share = static_cast<double>(costs.moved) / static_cast<double>(settings.objects);
  if (settings.json) {
    auto line = line_for(settings, nodes, row);
    line["objects"] = full ? settings.objects : 0;
    line["held"] = full ? costs.held : 0;
    line["home"] = full ? costs.home : 0;
    line["heir"] = full ? costs.heir : 0;
    line["sent"] = figures.sent;
    line["received"] = figures.received;
    line["cpu_ms"] = figures.cpu_s * 1e3;
    line["simulated_us"] = figures.simulated_s * 1e6;
    line["moved"] = full ? costs.moved : 0;
    line["moved_times_nodes"] = full ? share * nodes : 0;
    fmt::print("{}\n", line.dump());
  } else {
    fmt::print("  {}\n    a node: {} sent, {} received, {:.3f} ms of a core; {:.0f} us simulated\n",
               row, figures.sent, figures.received, figures.cpu_s * 1e3, figures.simulated_s * 1e6);
    if (full) {
      fmt::print("    it has {} copies, {} directory entries, is heir of {}: {:.0f} ns each\n",
                 costs.held, costs.home, costs.heir,
                 figures.cpu_s * 1e9 / static_cast<double>(std::max<std::uint64_t>(1, touched)));
      fmt::print("    homes that move: {} of all, {:.2f} / n\n", costs.moved, share * nodes);
    }
  }
  std::fflush(stdout);
}

Status measure(const Settings& settings, std::uint32_t nodes) {
  KRG_TRY_ASSIGN(const auto operations, measure_operations(nodes, settings.whole));
  print(settings, nodes, operations);
  KRG_TRY_ASSIGN(const ViewCosts costs, measure_views(nodes, settings.objects, settings.whole));
  print(settings, nodes, "view change, nothing held", costs, costs.empty, false);
  print(settings, nodes, "view change, a node leaves", costs, costs.leave, true);
  return {};
}

}  // namespace

int main(int argc, char** argv) {
  Settings settings;
  CLI::App app(
      "Counts messages and time of krg's shared objects in simulated clusters. Messages are those "
      "between nodes, all\nof an operation together; hops are those that follow each other until "
      "the operation returns.",
      kName);
  app.add_option("--nodes", settings.nodes, "sizes of the cluster (default 8,64,512,4096)")
      ->delimiter(',')
      ->check(CLI::Range(GrowthCluster::kWide, kNodesMax));
  app.add_option("--objects", settings.objects, "objects in the whole cluster (default 10000000)")
      ->check(CLI::Range(std::uint64_t{1000}, std::uint64_t{1'000'000'000}));
  app.add_flag("--whole", settings.whole,
               "every node knows every other one: n^2 connections, up to some 512 nodes");
  app.add_flag("--json", settings.json, "one JSON object a line instead of a table");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return app.exit(error);
    fmt::print(stderr, "{}: {}\n", kName, error.what());
    return 2;
  }
  for (const std::uint32_t nodes : settings.nodes) {
    if (const Status how = measure(settings, nodes); !how) {
      fmt::print(stderr, "{}: {} nodes: {}\n", kName, nodes, how.error().message());
      return 1;
    }
  }
  return 0;
}

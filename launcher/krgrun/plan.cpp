#include "krg/krgrun/plan.h"

#include <fmt/format.h>

#include <algorithm>

#include "krg/placement/display.h"

namespace krg::krgrun {
namespace {

// Where nobody stated slots, an accident such as -n 100000 is still caught.
constexpr std::uint32_t kFreePerThread = 256;

// Nodes of one machine get different cores of it.
void divide_machine(const Job& job, placement::Request& request) {
  if (job.cluster.kind != ClusterChoice::Kind::embedded || request.nodes.size() < 2) return;
  const auto parts = placement::divide(*request.nodes[0].topology,
                                       static_cast<std::uint32_t>(request.nodes.size()));
  for (std::size_t i = 0; i < parts.size(); ++i) request.nodes[i].cpus = parts[i];
}

// The nodes on the hosts that the line names for a program. Only a standing cluster has others, and
// may have several nodes on a host.
Result<std::vector<std::uint32_t>> nodes_for(const Job& job, const App& app,
                                             const placement::Request& request,
                                             std::string& complaint) {
  std::vector<std::uint32_t> chosen;
  if (job.cluster.kind == ClusterChoice::Kind::embedded) return chosen;
  std::vector<std::string> hosts = app.hosts;
  if (hosts.empty() && job.cluster.kind == ClusterChoice::Kind::standing) {
    for (const placement::Host& host : job.cluster.hosts) hosts.push_back(host.name);
  }
  for (const std::string& host : hosts) {
    const std::size_t before = chosen.size();
    for (std::uint32_t i = 0; i < request.nodes.size(); ++i) {
      if (request.nodes[i].name == host) chosen.push_back(i);
    }
    if (chosen.size() > before) continue;
    complaint = fmt::format("host {} has no node in the cluster; see 'krgadm nodes'", host);
    return Error(Errc::invalid_argument, "placement refused");
  }
  return chosen;
}

}  // namespace

Result<Plan> plan(const Job& job, std::vector<NodeTopology> nodes, std::string& complaint) {
  Plan out;
  out.nodes = std::move(nodes);
  placement::Request& request = out.request;
  request.policy = job.policy;
  request.per_node = job.per_node;
  request.file_text = job.placement_file;
  if (!job.cluster.slots_stated) request.free_per_thread = kFreePerThread;

  for (const NodeTopology& each : out.nodes) {
    placement::Node node;
    node.name = each.name;
    node.topology = each.topology.get();
    const auto& hosts = job.cluster.hosts;
    const auto host = std::find_if(hosts.begin(), hosts.end(), [&](const placement::Host& h) {
      return h.name == each.name || job.cluster.kind == ClusterChoice::Kind::embedded;
    });
    if (host != hosts.end()) {
      node.slots = host->slots;
      node.max_slots = host->max_slots;
    }
    node.local = job.cluster.kind == ClusterChoice::Kind::embedded ||
                 each.name == job.cluster.this_host || each.name == "localhost";
    request.nodes.push_back(std::move(node));
  }
  for (const App& app : job.apps) {
    KRG_TRY_ASSIGN(auto wanted, nodes_for(job, app, request, complaint));
    request.apps.push_back({app.ranks, std::move(wanted)});
  }
  if (!request.nodes.empty()) divide_machine(job, request);
  KRG_TRY_ASSIGN(out.map, placement::place(request, complaint));
  return out;
}

Result<std::vector<NodeTopology>> nodes_like_this_machine(const Job& job) {
  KRG_TRY_ASSIGN(auto machine, topo::Topology::machine());
  const auto shared = std::make_shared<const topo::Topology>(std::move(machine));
  std::vector<NodeTopology> nodes;
  if (job.cluster.kind == ClusterChoice::Kind::embedded) {
    for (std::uint32_t i = 0; i < job.cluster.nodes; ++i) {
      nodes.push_back({"node" + std::to_string(i), shared});
    }
  } else {
    for (const placement::Host& host : job.cluster.hosts) nodes.push_back({host.name, shared});
  }
  return nodes;
}

std::string display(const Job& job, const Plan& plan) {
  const bool map = job.display_map || (job.dry_run && !job.display_bindings);
  if (!map && !job.display_bindings) return {};
  if (job.json) return placement::map_json(plan.request, plan.map);
  std::string out;
  if (map) out += placement::display_map(plan.request, plan.map);
  if (job.display_bindings) out += placement::display_bindings(plan.request, plan.map);
  return out;
}

}  // namespace krg::krgrun

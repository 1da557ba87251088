#include "joined.h"

#include <algorithm>

#include "krg/placement/map.h"

namespace krg::jobs {
namespace {

// More tasks on a hardware thread are an accident.
constexpr std::uint32_t kFreePerThread = 4096;

}  // namespace

topo::CpuSet part_of(const cluster::View& view, NodeId node, const topo::Topology& machine) {
  const cluster::Member* const self = view.find(node);
  if (self == nullptr) return {};
  std::uint32_t before = 0, all = 0;
  for (const cluster::Member& member : view.members) {
    if (member.host != self->host) continue;
    ++all;
    before += member.node < node ? 1 : 0;
  }
  return all > 1 ? placement::divide(machine, all)[before] : topo::CpuSet();
}

std::string bind_joined(JobSpec& spec, NodeId node, std::uint32_t first,
                        const topo::Topology& machine, const topo::CpuSet& part) {
  std::vector<RankSpec*> tasks;
  for (std::size_t rank = first; rank < spec.ranks.size(); ++rank) {
    if (spec.nodes[spec.ranks[rank].node] == node) tasks.push_back(&spec.ranks[rank]);
  }
  const Elastic& elastic = spec.elastic;
  if (tasks.empty() || elastic.bind_to.empty()) return {};
  placement::Request request;
  request.apps.push_back({static_cast<std::uint32_t>(tasks.size()), {}});
  request.nodes.emplace_back();
  request.nodes[0].name = std::to_string(node.value);
  request.nodes[0].topology = &machine;
  request.nodes[0].cpus = part;
  // Nobody has said how many slots a node has that was not there.
  request.free_per_thread = kFreePerThread;
  std::string complaint;
  const bool read = placement::parse_map_by(elastic.map_by, request.policy, complaint) &&
                    placement::parse_bind_to(elastic.bind_to, request.policy, complaint);
  if (read) {
    if (const auto map = placement::place(request, complaint)) {
      for (std::size_t i = 0; i < tasks.size(); ++i) tasks[i]->cpus = map->ranks[i].cpus.members();
      return {};
    }
  }
  return elastic.bind_stated ? complaint : std::string();
}

}  // namespace krg::jobs

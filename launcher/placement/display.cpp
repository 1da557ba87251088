#include "krg/placement/display.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "shape.h"

namespace krg::placement {
namespace {

using topo::CpuSet;
using topo::Level;

std::string modifiers_text(const MapModifiers& m) {
  std::string out;
  if (m.pe > 0) out += fmt::format(":pe={}", m.pe);
  if (m.span) out += ":span";
  if (m.nolocal) out += ":nolocal";
  if (m.hwtcpus) out += ":hwtcpus";
  if (m.oversubscribe) out += *m.oversubscribe ? ":oversubscribe" : ":nooversubscribe";
  return out;
}

std::string place_text(const Rank& rank) {
  if (rank.level == Level::machine) return "node";
  return fmt::format("{} {}", topo::name(rank.level), rank.object);
}

// "[BB/../..][../../..]": bound threads are B, the others are dots.
std::string picture(const topo::Topology& topology, const CpuSet& bound) {
  std::string out;
  for (const topo::Object& package : topology.objects(Level::package)) {
    out += '[';
    for (const topo::Object& core : topology.objects(Level::core)) {
      if (!package.cpus.contains(core.cpus)) continue;
      if (out.back() != '[') out += '/';
      for (const std::uint32_t cpu : core.cpus.members()) out += bound.has(cpu) ? 'B' : '.';
    }
    out += ']';
  }
  return out;
}

}  // namespace

std::string display_map(const Request& request, const Map& map) {
  std::string out = fmt::format("{} rank{} on {} node{}: map by {}{}, rank by {}, bind to {}\n",
                                map.ranks.size(), map.ranks.size() == 1 ? "" : "s",
                                map.nodes.size(), map.nodes.size() == 1 ? "" : "s",
                                to_string(*map.policy.map), modifiers_text(map.policy.modifiers),
                                to_string(*map.policy.rank), to_string(*map.policy.bind));
  for (const std::uint32_t node : map.nodes) {
    out +=
        fmt::format("node {} {}: {} ranks{}\n", node, request.nodes[node].name,
                    map.on_node[node].size(), map.oversubscribed[node] ? ", oversubscribed" : "");
    for (const std::uint32_t number : map.on_node[node]) {
      const Rank& rank = map.ranks[number];
      out += fmt::format("  rank {:<5} program {:<2} {:<12} {}\n", rank.rank, rank.app,
                         place_text(rank),
                         rank.cpus.empty() ? "not bound" : "cpus " + rank.cpus.list());
    }
  }
  return out;
}

std::string display_bindings(const Request& request, const Map& map) {
  std::string out;
  for (const Rank& rank : map.ranks) {
    const Node& node = request.nodes[rank.node];
    out += rank.cpus.empty() ? fmt::format("rank {} on {}: not bound\n", rank.rank, node.name)
                             : fmt::format("rank {} on {}: cpus {} {}\n", rank.rank, node.name,
                                           rank.cpus.list(), picture(*node.topology, rank.cpus));
  }
  return out;
}

std::string map_json(const Request& request, const Map& map) {
  nlohmann::ordered_json out;
  out["map_by"] = to_string(*map.policy.map) + modifiers_text(map.policy.modifiers);
  out["rank_by"] = to_string(*map.policy.rank);
  out["bind_to"] = to_string(*map.policy.bind);
  out["nodes"] = nlohmann::ordered_json::array();
  for (const std::uint32_t node : map.nodes) {
    out["nodes"].push_back({{"node", node},
                            {"name", request.nodes[node].name},
                            {"oversubscribed", static_cast<bool>(map.oversubscribed[node])},
                            {"ranks", map.on_node[node]}});
  }
  out["ranks"] = nlohmann::ordered_json::array();
  for (const Rank& rank : map.ranks) {
    out["ranks"].push_back({{"rank", rank.rank},
                            {"node", rank.node},
                            {"local_rank", rank.local_rank},
                            {"program", rank.app},
                            {"program_rank", rank.app_rank},
                            {"mapped_to", place_text(rank)},
                            {"cpus", rank.cpus.list()}});
  }
  return out.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace krg::placement

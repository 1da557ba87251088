#include "shape.h"

#include <algorithm>

#include "complain.h"

namespace krg::placement {
namespace {

using topo::Level;

std::unique_ptr<Shape> make_shape(const topo::Topology& topology, const topo::CpuSet& part) {
  auto shape = std::make_unique<Shape>();
  for (std::size_t i = 0; i < topo::kLevels; ++i) {
    for (const topo::Object& object : topology.objects(static_cast<Level>(i))) {
      topo::CpuSet cpus = part.empty() ? object.cpus : object.cpus & part;
      if (!cpus.empty()) shape->objects[i].push_back(std::move(cpus));
    }
  }
  return shape;
}

// The shape of a node, shared with the earlier nodes that look the same.
const Shape* shape_of(Work& work, std::size_t node) {
  const Node& self = work.request.nodes[node];
  // Neighbours mostly look alike, so the search goes backwards and rarely far.
  for (std::size_t i = node; i-- > 0;) {
    const Node& other = work.request.nodes[i];
    if (other.topology == self.topology && other.cpus == self.cpus) return work.seats[i].shape;
    if (node - i > 64) break;
  }
  work.shapes.push_back(make_shape(*self.topology, self.cpus));
  return work.shapes.back().get();
}

std::uint32_t hard_limit(const Work& work, const Node& node, const Shape& shape) {
  std::uint32_t limit = kNoLimit;
  if (node.max_slots > 0) limit = node.max_slots;
  if (work.request.per_node > 0) limit = std::min(limit, work.request.per_node);
  if (work.request.free_per_thread > 0 && !work.policy.modifiers.oversubscribe) {
    const auto threads = static_cast<std::uint32_t>(shape.at(Level::hwthread).size());
    limit = std::min(limit, threads * work.request.free_per_thread);
  }
  return limit;
}

}  // namespace

Level cpu_level(const Policy& policy) {
  return policy.modifiers.hwtcpus ? Level::hwthread : Level::core;
}

std::uint32_t cpus_in(const Shape& shape, Level unit, const topo::CpuSet& set) {
  const auto& cpus = shape.at(unit);
  return static_cast<std::uint32_t>(std::count_if(
      cpus.begin(), cpus.end(), [&](const topo::CpuSet& cpu) { return cpu.intersects(set); }));
}

Status prepare(Work& work) {
  const Level unit = cpu_level(work.policy);
  const std::uint32_t pe = std::max(work.policy.modifiers.pe, 1u);
  for (std::size_t i = 0; i < work.request.nodes.size(); ++i) {
    const Node& node = work.request.nodes[i];
    KRG_ASSERT(node.topology != nullptr);
    Seat seat;
    seat.shape = shape_of(work, i);
    seat.cpus = static_cast<std::uint32_t>(seat.shape->at(unit).size());
    if (seat.cpus == 0) return complain(work.complaint, "node {} has no usable cpu", node.name);
    seat.slots = node.slots > 0 ? node.slots : std::max(seat.cpus / pe, 1u);
    seat.hard = hard_limit(work, node, *seat.shape);
    work.seats.push_back(std::move(seat));
  }
  return {};
}

std::vector<std::uint32_t> candidates(const Work& work, std::uint32_t app) {
  std::vector<std::uint32_t> nodes = work.request.apps[app].nodes;
  if (nodes.empty()) {
    for (std::uint32_t i = 0; i < work.request.nodes.size(); ++i) nodes.push_back(i);
  }
  if (work.policy.modifiers.nolocal) {
    std::erase_if(nodes, [&](std::uint32_t node) { return work.request.nodes[node].local; });
  }
  return nodes;
}

std::vector<topo::CpuSet> divide(const topo::Topology& machine, std::uint32_t nodes) {
  KRG_ASSERT(nodes > 0);
  const auto cores = machine.objects(Level::core);
  std::vector<topo::CpuSet> parts(nodes);
  std::size_t core = 0;
  for (std::uint32_t i = 0; i < nodes; ++i) {
    const std::size_t share =
        std::max<std::size_t>(1, cores.size() / nodes + (i < cores.size() % nodes ? 1 : 0));
    for (std::size_t k = 0; k < share; ++k) parts[i] |= cores[core++ % cores.size()].cpus;
  }
  return parts;
}

}  // namespace krg::placement

#include "fixture.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

namespace krg::placement::testing {
namespace {

// Loading takes milliseconds, and the property tests ask thousands of times for the same few.
std::shared_ptr<topo::Topology> cached(const std::string& shape) {
  static std::map<std::string, std::shared_ptr<topo::Topology>> all;
  auto& slot = all[shape];
  if (slot == nullptr) {
    auto topology = topo::Topology::from_synthetic(shape);
    EXPECT_TRUE(topology) << shape;
    slot = std::make_shared<topo::Topology>(std::move(topology).value());
  }
  return slot;
}

}  // namespace

Machines& Machines::add(std::uint32_t count, const std::string& shape, std::uint32_t slots,
                        std::uint32_t max_slots) {
  topologies_.push_back(cached(shape));
  for (std::uint32_t i = 0; i < count; ++i) {
    Node node;
    node.name = "n" + std::to_string(request.nodes.size());
    node.slots = slots;
    node.max_slots = max_slots;
    node.topology = topologies_.back().get();
    request.nodes.push_back(std::move(node));
  }
  return *this;
}

Machines& Machines::keep(const std::string& cpus) {
  auto part = topologies_.back()->restricted(*topo::CpuSet::parse_list(cpus));
  EXPECT_TRUE(part) << cpus;
  topologies_.push_back(std::make_shared<topo::Topology>(std::move(part).value()));
  request.nodes.back().topology = topologies_.back().get();
  return *this;
}

Machines& Machines::app(std::uint32_t ranks, std::vector<std::uint32_t> nodes) {
  request.apps.push_back({ranks, std::move(nodes)});
  return *this;
}

Machines& Machines::options(const std::string& line) {
  std::istringstream in(line);
  std::string option, value, complaint;
  while (in >> option >> value) {
    if (option == "--map-by") {
      EXPECT_TRUE(parse_map_by(value, request.policy, complaint)) << complaint;
    } else if (option == "--rank-by") {
      EXPECT_TRUE(parse_rank_by(value, request.policy, complaint)) << complaint;
    } else if (option == "--bind-to") {
      EXPECT_TRUE(parse_bind_to(value, request.policy, complaint)) << complaint;
    } else if (option == "--ppn") {
      request.per_node = static_cast<std::uint32_t>(std::stoul(value));
    } else {
      ADD_FAILURE() << option;
    }
  }
  return *this;
}

Machines& Machines::file(const std::string& text) {
  request.file_text = text;
  return *this;
}

Result<Map> Machines::map() const {
  std::string complaint;
  return place(request, complaint);
}

std::string Machines::complaint() const {
  std::string complaint;
  const auto map = place(request, complaint);
  return map ? "accepted" : complaint;
}

std::string Machines::display() const {
  std::string complaint;
  const auto map = place(request, complaint);
  return map ? display_map(request, *map) : "refused: " + complaint + "\n";
}

std::string Machines::bindings() const {
  std::string complaint;
  const auto map = place(request, complaint);
  return map ? display_bindings(request, *map) : "refused: " + complaint + "\n";
}

std::string Machines::brief() const {
  std::string complaint;
  const auto map = place(request, complaint);
  if (!map) return "refused: " + complaint;
  std::string out;
  for (const Rank& rank : map->ranks) {
    if (!out.empty()) out += ' ';
    out += std::to_string(rank.rank) + '@' + request.nodes[rank.node].name + ':' +
           (rank.cpus.empty() ? "-" : rank.cpus.list());
  }
  return out;
}

}  // namespace krg::placement::testing

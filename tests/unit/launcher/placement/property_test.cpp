#include <gtest/gtest.h>

#include <random>
#include <set>

#include "fixture.h"

namespace krg::placement {
namespace {

using testing::Machines;

constexpr std::uint32_t kSeeds = 3000;

const char* const kShapes[] = {"core:2 pu:1", "pack:2 numa:1 l3:1 l2:8 core:1 pu:2",
                               "numa:4 l3:1 core:8 pu:1", "pack:1 l3:2 core:3 pu:1", "pu:5"};
const char* const kMaps[] = {
    "slot",          "node",       "core",         "hwthread",    "numa",
    "package",       "core:span",  "package:span", "numa:pe=2",   "slot:pe=2",
    "ppr:2:package", "ppr:1:core", "ppr:3:node",   "pe-list=0-1", "pe-list=1,0:ordered"};
const char* const kRanks[] = {"slot", "node", "fill", "span"};
const char* const kBinds[] = {"none",
                              "core",
                              "hwthread",
                              "package",
                              "numa",
                              "core:overload-allowed",
                              "package:overload-allowed"};

// A question that the seed made up.
Machines ask(std::uint32_t seed) {
  std::mt19937 random(seed);
  auto one_of = [&](auto& list) { return std::string(list[random() % std::size(list)]); };
  Machines machines;
  const std::uint32_t kinds = 1 + random() % 3;
  for (std::uint32_t i = 0; i < kinds; ++i) {
    machines.add(1 + random() % 3, one_of(kShapes), random() % 3 == 0 ? 0 : random() % 12,
                 random() % 4 == 0 ? 12 : 0);
    if (random() % 5 == 0) machines.keep("0,1,3,4");
  }
  const std::uint32_t apps = 1 + random() % 2;
  for (std::uint32_t i = 0; i < apps; ++i) {
    machines.app(apps == 1 && random() % 4 == 0 ? 0 : 1 + random() % 24);
    if (random() % 4 == 0) machines.request.apps.back().nodes = {0};
  }
  std::string options;
  if (random() % 4 != 0) options += "--map-by " + one_of(kMaps);
  if (random() % 3 == 0) options += " --rank-by " + one_of(kRanks);
  if (random() % 2 == 0) options += " --bind-to " + one_of(kBinds);
  if (random() % 5 == 0) options += " --ppn " + std::to_string(1 + random() % 6);
  machines.options(options);
  if (random() % 3 == 0) machines.request.policy.modifiers.oversubscribe = random() % 3 != 0;
  if (random() % 5 == 0) machines.request.free_per_thread = 4;
  if (random() % 9 == 0) machines.request.policy.modifiers.hwtcpus = true;
  return machines;
}

std::uint32_t cpu_count(const Node& node, const Policy& policy) {
  return static_cast<std::uint32_t>(
      node.topology->count(policy.modifiers.hwtcpus ? topo::Level::hwthread : topo::Level::core));
}

// Every rank once, in order, on a node its app may use; numbers on a node rise from 0.
void check_ranks(const Request& request, const Map& map) {
  std::vector<std::uint32_t> per_app(request.apps.size()), per_node(request.nodes.size());
  for (std::uint32_t i = 0; i < map.ranks.size(); ++i) {
    const Rank& rank = map.ranks[i];
    ASSERT_EQ(rank.rank, i);
    ASSERT_LT(rank.node, request.nodes.size());
    EXPECT_EQ(rank.app_rank, per_app[rank.app]++);
    EXPECT_EQ(rank.local_rank, per_node[rank.node]++);
    const auto& allowed = request.apps[rank.app].nodes;
    EXPECT_TRUE(allowed.empty() || rank.node == allowed[0]);
    if (i > 0) {
      EXPECT_GE(rank.app, map.ranks[i - 1].app);
    }
  }
  for (std::size_t app = 0; app < request.apps.size(); ++app) {
    if (request.apps[app].ranks > 0) {
      EXPECT_EQ(per_app[app], request.apps[app].ranks);
    }
  }
  for (std::uint32_t node = 0; node < request.nodes.size(); ++node) {
    EXPECT_EQ(map.on_node[node].size(), per_node[node]);
  }
}

void check_slots(const Request& request, const Map& map) {
  const std::uint32_t pe = std::max(map.policy.modifiers.pe, 1u);
  for (std::uint32_t i = 0; i < request.nodes.size(); ++i) {
    const Node& node = request.nodes[i];
    const auto used = map.on_node[i].size();
    const std::uint32_t slots =
        node.slots > 0 ? node.slots : std::max(cpu_count(node, map.policy) / pe, 1u);
    const bool may = request.policy.modifiers.oversubscribe.value_or(request.free_per_thread > 0);
    if (!may) {
      EXPECT_LE(used, slots);
    }
    if (node.max_slots > 0) {
      EXPECT_LE(used, node.max_slots);
    }
    if (request.per_node > 0) {
      EXPECT_LE(used, request.per_node);
    }
    EXPECT_EQ(map.oversubscribed[i], used > slots);
  }
}

// Bound ranks stay on usable cpus; no core is given to more ranks than allowed.
void check_cpus(const Request& request, const Map& map) {
  const Binding& binding = *map.policy.bind;
  for (std::uint32_t i = 0; i < request.nodes.size(); ++i) {
    const topo::Topology& topology = *request.nodes[i].topology;
    const bool exclusive =
        !binding.overload && map.policy.map->by != MapBy::pe_list &&
        (binding.level == topo::Level::core || binding.level == topo::Level::hwthread);
    topo::CpuSet taken;
    std::size_t bound = 0;
    for (const std::uint32_t number : map.on_node[i]) {
      const topo::CpuSet& cpus = map.ranks[number].cpus;
      EXPECT_TRUE(topology.cpus().contains(cpus));
      if (cpus.empty()) continue;
      ++bound;
      if (exclusive) {
        EXPECT_FALSE(taken.intersects(cpus)) << "rank " << number;
      }
      taken |= cpus;
    }
    EXPECT_TRUE(bound == 0 || bound == map.on_node[i].size()) << "all of a node or none";
    if (binding.level == topo::Level::machine) {
      EXPECT_EQ(bound, 0u);
    }
    if (request.policy.bind && binding.level != topo::Level::machine) {
      EXPECT_EQ(bound, map.on_node[i].size()) << "what the user asked for is not dropped";
    }
  }
}

TEST(Property, EveryAnswerIsAMapThatKeepsTheRulesOrOneLine) {
  std::uint32_t accepted = 0;
  std::set<std::string> complaints;
  for (std::uint32_t seed = 0; seed < kSeeds; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    const Machines machines = ask(seed);
    std::string complaint;
    const auto map = place(machines.request, complaint);
    if (!map) {
      EXPECT_FALSE(complaint.empty());
      EXPECT_EQ(complaint.find('\n'), std::string::npos);
      complaints.insert(complaint.substr(complaint.find(' ')));
      continue;
    }
    ++accepted;
    check_ranks(machines.request, *map);
    check_slots(machines.request, *map);
    check_cpus(machines.request, *map);
    if (HasFailure()) FAIL() << machines.display();
  }
  EXPECT_GT(accepted, kSeeds / 4) << "the questions are too hard to test anything";
  EXPECT_GT(complaints.size(), 10u) << "the questions are too easy to test anything";
}

TEST(Property, TheSameQuestionHasTheSameAnswer) {
  for (std::uint32_t seed = 0; seed < 200; ++seed) {
    EXPECT_EQ(ask(seed).display(), ask(seed).display());
  }
}

}  // namespace
}  // namespace krg::placement

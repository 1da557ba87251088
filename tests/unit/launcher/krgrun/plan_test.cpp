#include "krg/krgrun/plan.h"

#include <gmock/gmock.h>

#include "lines.h"

namespace krg::krgrun {
namespace {

using ::testing::HasSubstr;
using testing::Lines;

class Planned : public Lines {
 protected:
  // The map of a line on machines of one shape.
  std::string shown(const std::string& text, const std::string& shape) const {
    const Job j = job(text);
    auto topology = topo::Topology::from_synthetic(shape);
    EXPECT_TRUE(topology);
    const auto shared = std::make_shared<const topo::Topology>(std::move(*topology));
    auto nodes = nodes_like_this_machine(j);
    EXPECT_TRUE(nodes);
    for (NodeTopology& node : *nodes) node.topology = shared;
    std::string complaint;
    const auto planned = plan(j, std::move(*nodes), complaint);
    return planned ? display(j, *planned) : complaint;
  }
};

TEST_F(Planned, NodesInsideAMachineShareItsCores) {
  EXPECT_EQ(shown("--nodes 2 -n 4 --bind-to core --display-bindings true", "core:4 pu:2"),
            "rank 0 on node0: cpus 0-1 [BB/../../..]\n"
            "rank 1 on node0: cpus 2-3 [../BB/../..]\n"
            "rank 2 on node1: cpus 4-5 [../../BB/..]\n"
            "rank 3 on node1: cpus 6-7 [../../../BB]\n");
}

TEST_F(Planned, MoreRanksThanCoresRunUnboundInsideAMachine) {
  const std::string text = shown("--nodes 4 -n 64 --display-map true", "core:2 pu:1");
  EXPECT_THAT(text, HasSubstr("64 ranks on 4 nodes"));
  EXPECT_THAT(text, HasSubstr("node 3 node3: 16 ranks, oversubscribed"));
  EXPECT_THAT(text, HasSubstr("rank 63    program 0  numa 0       not bound"));
}

TEST_F(Planned, TooManyRanksForAMachineAreAnAccident) {
  EXPECT_EQ(
      shown("-n 1000 --dry-run true", "core:2 pu:1"),
      "1000 ranks asked for, but at most 512 may run on 1 node: add --oversubscribe to insist");
  EXPECT_THAT(shown("-n 1000 --oversubscribe --dry-run true", "core:2 pu:1"),
              HasSubstr("1000 ranks on 1 node"));
}

TEST_F(Planned, HostsKeepTheirSlots) {
  EXPECT_EQ(shown("-H n1:1,n2:2 --bind-to none --display-bindings hostname", "core:8 pu:1"),
            "rank 0 on n1: not bound\nrank 1 on n2: not bound\nrank 2 on n2: not bound\n");
  EXPECT_EQ(
      shown("-H localhost:2 --display-bindings true", "core:8 pu:1"),
      "rank 0 on node0: cpus 0 [B/././././././.]\nrank 1 on node0: cpus 1 [./B/./././././.]\n");
}

TEST_F(Planned, ProgramsStayOnTheirHosts) {
  EXPECT_EQ(shown("--bind-to none --display-bindings -n 1 -H n2 hostname : -n 1 -H n1 hostname",
                  "core:2 pu:1"),
            "rank 0 on n2: not bound\nrank 1 on n1: not bound\n");
}

TEST_F(Planned, OfAStandingClusterOnlyTheNamedHostsAreUsed) {
  const Job j = job("--cluster lab -H n2,n1 --bind-to none --display-bindings hostname");
  auto topology = topo::Topology::from_synthetic("core:2 pu:1");
  ASSERT_TRUE(topology);
  const auto shared = std::make_shared<const topo::Topology>(std::move(*topology));
  std::string complaint;
  const auto planned =
      plan(j, {{"n0", shared}, {"n1", shared}, {"n2", shared}, {"n2", shared}, {"n3", shared}},
           complaint);
  ASSERT_TRUE(planned) << complaint;
  EXPECT_EQ(planned->map.nodes, (std::vector<std::uint32_t>{1, 2, 3}));
  EXPECT_FALSE(plan(j, {{"n0", shared}, {"n2", shared}}, complaint));
  EXPECT_EQ(complaint, "host n1 has no node in the cluster; see 'krgadm nodes'");
}

TEST_F(Planned, IsJsonOnDemand) {
  EXPECT_THAT(shown("-n 1 --dry-run --json true", "core:2 pu:1"),
              HasSubstr("\"ranks\":[{\"rank\":0,\"node\":0,\"local_rank\":0,\"program\":0"));
}

TEST_F(Planned, IsSilentUnlessAsked) { EXPECT_EQ(shown("-n 1 true", "core:2 pu:1"), ""); }

}  // namespace
}  // namespace krg::krgrun

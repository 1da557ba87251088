#include <gtest/gtest.h>

#include "fixture.h"

namespace krg::placement {
namespace {

using testing::kFourNuma;
using testing::kSmall;
using testing::kSmt;
using testing::Machines;

TEST(Place, BindsTwoRanksToACoreEach) {
  EXPECT_EQ(Machines().add(1, kSmt).app(2).brief(), "0@n0:0-1 1@n0:2-3");
}

TEST(Place, DealsMoreRanksToNumaNodesInTurn) {
  EXPECT_EQ(Machines().add(1, kFourNuma).app(5).brief(),
            "0@n0:0-7 1@n0:8-15 2@n0:16-23 3@n0:24-31 4@n0:0-7");
}

TEST(Place, FillsANodeBeforeTheNext) {
  EXPECT_EQ(Machines().add(2, kSmall).app(3).options("--map-by slot").brief(),
            "0@n0:0-1 1@n0:0-1 2@n1:0-1");
}

TEST(Place, MapsByNodeInTurnAndRanksSoToo) {
  EXPECT_EQ(Machines().add(2, kSmall).app(4).options("--map-by node --bind-to core").brief(),
            "0@n0:0 1@n1:0 2@n0:1 3@n1:1");
}

TEST(Place, RanksAsTold) {
  auto on = [](const char* ranking) {
    return Machines()
        .add(2, "pack:2 core:2 pu:1")
        .app(8)
        .options(std::string("--map-by package --bind-to core --rank-by ") + ranking)
        .brief();
  };
  EXPECT_EQ(on("slot"), "0@n0:0 1@n0:2 2@n0:1 3@n0:3 4@n1:0 5@n1:2 6@n1:1 7@n1:3");
  EXPECT_EQ(on("fill"), "0@n0:0 1@n0:1 2@n0:2 3@n0:3 4@n1:0 5@n1:1 6@n1:2 7@n1:3");
  EXPECT_EQ(on("node"), "0@n0:0 1@n1:0 2@n0:2 3@n1:2 4@n0:1 5@n1:1 6@n0:3 7@n1:3");
  EXPECT_EQ(on("span"), "0@n0:0 1@n0:2 2@n1:0 3@n1:2 4@n0:1 5@n0:3 6@n1:1 7@n1:3");
}

TEST(Place, SpanTakesAllNodesAsOne) {
  EXPECT_EQ(Machines().add(2, "pack:2 core:4 pu:1").app(4).options("--map-by package:span").brief(),
            "0@n0:0-3 1@n0:4-7 2@n1:0-3 3@n1:4-7");
}

TEST(Place, PprPutsSoManyOnEveryObject) {
  EXPECT_EQ(Machines()
                .add(2, "pack:2 core:4 pu:1")
                .app(0)
                .options("--map-by ppr:1:package --bind-to package")
                .brief(),
            "0@n0:0-3 1@n0:4-7 2@n1:0-3 3@n1:4-7");
  EXPECT_EQ(Machines().add(2, kSmall).app(3).options("--map-by ppr:1:node").complaint(),
            "--map-by ppr:1:node: there is no place for 1 of 3 ranks");
}

TEST(Place, GivesEachRankItsOwnCores) {
  EXPECT_EQ(Machines().add(1, kSmt).app(4).options("--map-by package:pe=4").brief(),
            "0@n0:0-7 1@n0:16-23 2@n0:8-15 3@n0:24-31");
  EXPECT_EQ(Machines().add(1, kSmt).app(3).options("--map-by slot:pe=2:hwtcpus").brief(),
            "0@n0:0-1 1@n0:2-3 2@n0:4-5");
  EXPECT_EQ(Machines().add(1, kSmt).app(4).options("--map-by core:pe=2").brief(),
            "0@n0:0-3 1@n0:4-7 2@n0:8-11 3@n0:12-15");
}

TEST(Place, RefusesMoreCoresThanThereAre) {
  EXPECT_EQ(Machines().add(1, kSmt, 16).app(5).options("--map-by slot:pe=4").complaint(),
            "PE=4: 5 ranks of node n0 do not find 4 free cores each; use fewer ranks or cpus, or "
            "--bind-to core:overload-allowed");
}

TEST(Place, BindsInsideAndAroundWhereItMapped) {
  EXPECT_EQ(Machines().add(1, kSmt).app(4).options("--map-by package --bind-to core").brief(),
            "0@n0:0-1 1@n0:16-17 2@n0:2-3 3@n0:18-19");
  EXPECT_EQ(Machines().add(1, kSmt).app(2).options("--map-by core --bind-to package").brief(),
            "0@n0:0-15 1@n0:0-15");
  EXPECT_EQ(Machines().add(1, kSmt).app(2).options("--bind-to hwthread --map-by hwthread").brief(),
            "0@n0:0 1@n0:1");
}

TEST(Place, RefusesToOverloadUnlessAllowed) {
  Machines two_on_one;
  two_on_one.add(1, kSmall, 4).app(3).options("--bind-to core");
  EXPECT_EQ(two_on_one.complaint(),
            "--bind-to core: core of node n0 has 1 cpu for 2 ranks; add :overload-allowed, or bind "
            "to something larger");
  two_on_one.options("--bind-to core:overload-allowed");
  EXPECT_EQ(two_on_one.brief(), "0@n0:0 1@n0:1 2@n0:0");
}

TEST(Place, DoesNotBindByDefaultWhereRanksOutnumberSlotsOrCpus) {
  EXPECT_EQ(Machines().add(1, kSmall, 4).app(3).brief(), "0@n0:- 1@n0:- 2@n0:-");
  EXPECT_EQ(Machines().add(1, kSmall).app(3).options("--map-by :oversubscribe").brief(),
            "0@n0:- 1@n0:- 2@n0:-");
}

TEST(Place, RefusesMoreRanksThanSlots) {
  EXPECT_EQ(
      Machines().add(2, kSmall, 1).app(3).complaint(),
      "3 ranks asked for, but 2 nodes come with 2 free slots: give more hosts or slots, or add "
      "--oversubscribe");
  EXPECT_EQ(Machines().add(1, kSmall, 1, 2).app(3).options("--map-by :oversubscribe").complaint(),
            "3 ranks asked for, but at most 2 may run on 1 node: max_slots forbids more");
  EXPECT_EQ(
      Machines().add(2, kSmall).app(5).options("--ppn 2").complaint(),
      "5 ranks asked for, but --ppn 2 on 2 nodes allows 4: give more hosts or a higher --ppn");
}

TEST(Place, SpreadsWhatIsTooMuchEvenly) {
  Machines machines;
  machines.add(3, kSmall, 2).app(11).options("--map-by slot:oversubscribe");
  const auto map = machines.map();
  ASSERT_TRUE(map);
  EXPECT_EQ(map->on_node[0].size(), 4u);
  EXPECT_EQ(map->on_node[1].size(), 4u);
  EXPECT_EQ(map->on_node[2].size(), 3u);
  EXPECT_TRUE(map->oversubscribed[2]);
}

TEST(Place, LetsAClusterWithoutStatedSlotsRunMoreRanksThanCores) {
  Machines machines;
  machines.add(4, kSmall).app(64);
  machines.request.free_per_thread = 256;
  const auto map = machines.map();
  ASSERT_TRUE(map);
  for (const auto& ranks : map->on_node) EXPECT_EQ(ranks.size(), 16u);
  EXPECT_EQ(map->on_node[1].front(), 16u);
  machines.request.apps[0].ranks = 4 * 2 * 256 + 1;
  EXPECT_EQ(machines.complaint(),
            "2049 ranks asked for, but at most 2048 may run on 4 nodes: add --oversubscribe to "
            "insist");
  machines.request.policy.modifiers.oversubscribe = true;
  EXPECT_TRUE(machines.map());
  machines.request.policy.modifiers.oversubscribe = false;
  EXPECT_FALSE(machines.map());
}

TEST(Place, PpnLimitsEachNode) {
  EXPECT_EQ(Machines().add(2, kSmt).app(0).options("--ppn 1 --bind-to core").brief(),
            "0@n0:0-1 1@n1:0-1");
  EXPECT_EQ(Machines().add(2, kSmt).app(3).options("--ppn 2 --bind-to none").brief(),
            "0@n0:- 1@n0:- 2@n1:-");
}

TEST(Place, NumbersProgramsOneAfterTheOther) {
  EXPECT_EQ(Machines().add(2, kSmall).app(1).app(3).options("--map-by slot --bind-to core").brief(),
            "0@n0:0 1@n0:1 2@n1:0 3@n1:1");
  Machines apart;
  apart.add(2, kSmall).app(1, {1}).app(1, {0});
  EXPECT_EQ(apart.brief(), "0@n1:0 1@n0:0");
  EXPECT_EQ(Machines().add(1, kSmall).app(0).app(1).complaint(),
            "program 1 needs -n: with several programs each says how many ranks it wants");
}

TEST(Place, LocalRanksRiseWithTheRank) {
  const auto map = Machines().add(2, kSmall).app(4).options("--map-by node").map();
  ASSERT_TRUE(map);
  EXPECT_EQ(map->ranks[2].local_rank, 1u);
  EXPECT_EQ(map->on_node[1], (std::vector<std::uint32_t>{1, 3}));
}

TEST(Place, LeavesTheLocalNodeOutOnDemand) {
  Machines machines;
  machines.add(2, kSmall).app(2).options("--map-by core:nolocal");
  machines.request.nodes[0].local = true;
  EXPECT_EQ(machines.brief(), "0@n1:0 1@n1:1");
  machines.request.nodes[1].local = true;
  EXPECT_EQ(machines.complaint(), ":NOLOCAL leaves no node for program 1");
}

TEST(Place, BindsToAListOfCpus) {
  EXPECT_EQ(Machines().add(1, kSmt).app(2).options("--map-by pe-list=1,3").brief(),
            "0@n0:2-3,6-7 1@n0:2-3,6-7");
  EXPECT_EQ(Machines().add(1, kSmt).app(2).options("--map-by pe-list=3,1:ordered").brief(),
            "0@n0:2-3 1@n0:6-7");
  EXPECT_EQ(Machines().add(1, kSmall).app(1).options("--map-by pe-list=7").complaint(),
            "--map-by pe-list=7: node n0 has 2 cpus, numbered from 0");
}

TEST(Place, FollowsARankfile) {
  const char* const text =
      "# a comment\n"
      "rank 1=n0 slot=0-1\n"
      "rank 0=n1 slot=1:*\n"
      "rank 2=+n0 slot=0:1,1:0,1\n"
      "rank 3=n1\n";
  Machines machines;
  machines.add(2, "pack:2 core:2 pu:2").app(4).options("--map-by rankfile:file=rf").file(text);
  EXPECT_EQ(machines.brief(), "0@n1:4-7 1@n0:0-3 2@n0:2-7 3@n1:-");
  machines.request.apps[0].ranks = 0;
  EXPECT_TRUE(machines.map());
}

TEST(Place, SaysWhichLineOfARankfileIsWrong) {
  auto complaint = [](const char* text) {
    return Machines()
        .add(1, kSmall)
        .app(2)
        .options("--map-by rankfile:file=rf")
        .file(text)
        .complaint();
  };
  EXPECT_EQ(complaint("rank 0=n0\nrank 1=other\n"), "rf:2: other is no node of this job");
  EXPECT_EQ(complaint("rank 0=n0 slot=9\n"), "rf:1: node n0 has no cpus '9'");
  EXPECT_EQ(complaint("rank 0=n0 slot=0:0,2\n"), "rf:1: node n0 has no cpus '0:0,2'");
  EXPECT_EQ(complaint("rank 2=n0\n"), "rf:1: '2' is no rank below 2");
  EXPECT_EQ(complaint("first=n0\n"), "rf:1: write 'rank N=HOST slot=CPUS'");
  EXPECT_EQ(complaint("rank 0=n0\nrank 0=n0\n"), "rf: rank 0 is there 2 times");
  EXPECT_EQ(complaint("rank 0=n0\n"), "rf: 1 lines for 2 ranks");
}

TEST(Place, FollowsAListOfHostsLineByLine) {
  Machines machines;
  machines.add(2, kSmall).app(3).options("--map-by seq").file("n1\nn0 1\nn1 slots=4\nn0\n");
  EXPECT_EQ(machines.brief(), "0@n1:0-1 1@n0:1 2@n1:0-1");
}

TEST(Place, RefusesALevelThatANodeLacks) {
  EXPECT_EQ(Machines().add(1, kSmall).app(2).options("--map-by l3cache").complaint(),
            "--map-by l3cache: node n0 has no l3cache");
  Machines bound;
  bound.add(1, kSmall).app(2).options("--bind-to l3cache");
  EXPECT_EQ(bound.complaint(),
            "--bind-to l3cache: node n0 has no l3cache; bind to something it has, or add "
            ":if-supported");
  EXPECT_EQ(bound.options("--bind-to l3cache:if-supported").brief(), "0@n0:- 1@n0:-");
}

TEST(Place, KeepsALimitPerObject) {
  EXPECT_EQ(Machines()
                .add(1, kSmt)
                .app(3)
                .options("--map-by package --bind-to package:limit=1")
                .complaint(),
            "--bind-to package:limit=1: a package of node n0 would get more than 1 ranks");
}

TEST(Place, RefusesContradictions) {
  EXPECT_EQ(Machines().add(1, kSmt).app(2).options("--map-by slot:pe=2 --bind-to numa").complaint(),
            "--bind-to numa contradicts PE=2, which binds to cores; leave one of them out");
  EXPECT_EQ(Machines().app(1).complaint(), "there is no node to run on");
}

TEST(Place, SkipsObjectsThatAreFull) {
  // Three cores in the first package, one in the second.
  EXPECT_EQ(Machines()
                .add(1, "pack:2 core:4 pu:1")
                .keep("0-2,4")
                .app(4)
                .options("--map-by package --bind-to core")
                .brief(),
            "0@n0:0 1@n0:4 2@n0:1 3@n0:2");
}

TEST(Place, UsesOnlyThePartOfAMachineThatANodeHas) {
  Machines machines;
  machines.add(2, "pack:2 core:2 pu:2").app(4).options("--bind-to core");
  const auto parts = divide(*machines.request.nodes[0].topology, 2);
  machines.request.nodes[0].cpus = parts[0];
  machines.request.nodes[1].cpus = parts[1];
  EXPECT_EQ(machines.brief(), "0@n0:0-1 1@n0:2-3 2@n1:4-5 3@n1:6-7");
}

TEST(Divide, DealsEveryCoreOnce) {
  const auto machine = topo::Topology::from_synthetic("core:7 pu:2");
  ASSERT_TRUE(machine);
  const auto parts = divide(*machine, 3);
  EXPECT_EQ(parts[0].list(), "0-5");
  EXPECT_EQ(parts[1].list(), "6-9");
  EXPECT_EQ(parts[2].list(), "10-13");
}

TEST(Divide, SharesCoresAmongMoreNodesThanCores) {
  const auto machine = topo::Topology::from_synthetic("core:2 pu:1");
  ASSERT_TRUE(machine);
  const auto parts = divide(*machine, 4);
  EXPECT_EQ(parts[0].list() + parts[1].list() + parts[2].list() + parts[3].list(), "0101");
}

}  // namespace
}  // namespace krg::placement

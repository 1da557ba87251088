#include "joined.h"

#include <gmock/gmock.h>

namespace krg::jobs {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

topo::Topology machine(const char* shape) {
  auto made = topo::Topology::from_synthetic(shape);
  KRG_ASSERT(made);
  return std::move(*made);
}

// One task on node 0, and two on node 3 that has joined: the ranks 1 and 2.
JobSpec grown(std::string map_by, std::string bind_to) {
  JobSpec spec;
  spec.nodes = {NodeId{0}};
  spec.apps.push_back({"", {"work"}, "/", {}, {}});
  spec.ranks = {{0, 0, 0, {5}}};
  spec.elastic.per_node = 2;
  spec.elastic.map_by = std::move(map_by);
  spec.elastic.bind_to = std::move(bind_to);
  (void)extend(spec, NodeId{3}, 2);
  return spec;
}

TEST(JoinedTasks, AreBoundByThePolicyOfTheJob) {
  const topo::Topology four = machine("core:4 pu:2");
  JobSpec spec = grown("core", "core");
  EXPECT_EQ(bind_joined(spec, NodeId{3}, 1, four, {}), "");
  EXPECT_THAT(spec.ranks[0].cpus, ElementsAre(5)) << "of another node";
  EXPECT_THAT(spec.ranks[1].cpus, ElementsAre(0, 1));
  EXPECT_THAT(spec.ranks[2].cpus, ElementsAre(2, 3));
  spec = grown("slot:pe=2", "core");
  EXPECT_EQ(bind_joined(spec, NodeId{3}, 1, four, {}), "");
  EXPECT_THAT(spec.ranks[2].cpus, ElementsAre(4, 5, 6, 7));
}

TEST(JoinedTasks, StayInTheirPartOfTheMachine) {
  const topo::Topology four = machine("core:4 pu:1");
  JobSpec spec = grown("core", "core");
  EXPECT_EQ(bind_joined(spec, NodeId{3}, 1, four, topo::CpuSet::range(2, 3)), "");
  EXPECT_THAT(spec.ranks[1].cpus, ElementsAre(2));
  EXPECT_THAT(spec.ranks[2].cpus, ElementsAre(3));
}

TEST(JoinedTasks, OfAJobThatIsNotBoundAreNot) {
  const topo::Topology four = machine("core:4 pu:1");
  for (const char* bind_to : {"none", ""}) {
    JobSpec spec = grown("core", bind_to);
    EXPECT_EQ(bind_joined(spec, NodeId{3}, 1, four, {}), "");
    EXPECT_THAT(spec.ranks[1].cpus, IsEmpty());
  }
}

TEST(JoinedTasks, AreNotBoundWhereThereAreTooFewCpusUnlessItWasAskedFor) {
  const topo::Topology one = machine("core:1 pu:1");
  JobSpec spec = grown("core", "core");
  EXPECT_EQ(bind_joined(spec, NodeId{3}, 1, one, {}), "");
  EXPECT_THAT(spec.ranks[1].cpus, IsEmpty());
  EXPECT_THAT(spec.ranks[2].cpus, IsEmpty());
  spec.elastic.bind_stated = true;
  EXPECT_THAT(bind_joined(spec, NodeId{3}, 1, one, {}), HasSubstr("has 1 cpu for 2 ranks"));
  spec = grown("core", "core:overload-allowed");
  spec.elastic.bind_stated = true;
  EXPECT_EQ(bind_joined(spec, NodeId{3}, 1, one, {}), "");
  EXPECT_THAT(spec.ranks[2].cpus, ElementsAre(0));
}

TEST(JoinedTasks, OfAFormerLifeOfTheNodeAreLeftAlone) {
  const topo::Topology four = machine("core:4 pu:1");
  JobSpec spec = grown("core", "core");
  EXPECT_EQ(extend(spec, NodeId{3}, 1), 3u);
  EXPECT_EQ(bind_joined(spec, NodeId{3}, 3, four, {}), "");
  EXPECT_THAT(spec.ranks[1].cpus, IsEmpty());
  EXPECT_THAT(spec.ranks[3].cpus, ElementsAre(0));
}

TEST(JoinedTasks, OfAPolicyThatMakesNoSenseAreNotStarted) {
  const topo::Topology four = machine("core:4 pu:1");
  JobSpec spec = grown("moon", "core");
  spec.elastic.bind_stated = true;
  EXPECT_THAT(bind_joined(spec, NodeId{3}, 1, four, {}), HasSubstr("--map-by moon"));
}

TEST(PartOfAMachine, IsDealtAmongTheNodesOnTheHost) {
  const topo::Topology four = machine("core:4 pu:1");
  cluster::View view;
  for (const char* host : {"a", "b", "a"}) {
    view.members.push_back(
        {NodeId{static_cast<std::uint32_t>(view.members.size())}, Incarnation{1}, host, {}});
  }
  EXPECT_EQ(part_of(view, NodeId{0}, four), topo::CpuSet::range(0, 1));
  EXPECT_EQ(part_of(view, NodeId{2}, four), topo::CpuSet::range(2, 3));
  EXPECT_TRUE(part_of(view, NodeId{1}, four).empty()) << "alone on its host";
  EXPECT_TRUE(part_of(view, NodeId{9}, four).empty());
}

}  // namespace
}  // namespace krg::jobs

#include "krg/jobs/spec.h"

#include <gmock/gmock.h>

namespace krg::jobs {
namespace {

using ::testing::ElementsAre;

// Two tasks on node 1, one on node 4, of a job that grows.
JobSpec elastic_job() {
  JobSpec spec;
  spec.nodes = {NodeId{1}, NodeId{4}};
  spec.apps.push_back({"", {"work"}, "/", {}, {}});
  spec.ranks = {{0, 0, 0, {}}, {0, 0, 1, {}}, {1, 0, 0, {}}};
  spec.elastic.per_node = 2;
  return spec;
}

// "node:local_rank" of each rank.
std::vector<std::string> places(const JobSpec& spec) {
  std::vector<std::string> out;
  for (const RankSpec& rank : spec.ranks) {
    out.push_back(std::to_string(spec.nodes[rank.node].value) + ":" +
                  std::to_string(rank.local_rank));
  }
  return out;
}

TEST(JobSpec, GrowsOntoANodeBehindAllOthers) {
  JobSpec spec = elastic_job();
  EXPECT_EQ(extend(spec, NodeId{7}, 2), 3u);
  EXPECT_THAT(places(spec), ElementsAre("1:0", "1:1", "4:0", "7:0", "7:1"));
  EXPECT_TRUE(check(spec));
}

TEST(JobSpec, GrowsOntoANodeBetweenOthersWithoutMovingThem) {
  JobSpec spec = elastic_job();
  EXPECT_EQ(extend(spec, NodeId{2}, 1), 3u);
  EXPECT_THAT(places(spec), ElementsAre("1:0", "1:1", "4:0", "2:0"));
  EXPECT_EQ(extend(spec, NodeId{0}, 2), 4u);
  EXPECT_THAT(places(spec), ElementsAre("1:0", "1:1", "4:0", "2:0", "0:0", "0:1"));
  EXPECT_TRUE(check(spec)) << "its nodes still rise";
}

TEST(JobSpec, GrowsOntoANodeThatCameBack) {
  JobSpec spec = elastic_job();
  EXPECT_EQ(extend(spec, NodeId{4}, 2), 3u);
  EXPECT_THAT(spec.nodes, ElementsAre(NodeId{1}, NodeId{4}));
  EXPECT_THAT(places(spec), ElementsAre("1:0", "1:1", "4:0", "4:0", "4:1"));
}

TEST(JobSpec, ThatGrowsIsOfOneProgram) {
  JobSpec spec = elastic_job();
  EXPECT_TRUE(check(spec));
  spec.apps.push_back(spec.apps.front());
  EXPECT_EQ(check(spec).error(), Errc::invalid_argument);
  spec.elastic.per_node = 0;
  EXPECT_TRUE(check(spec)) << "one that keeps its size may have several";
}

TEST(JobSpec, ThatGrowsByTooMuchIsRefused) {
  JobSpec spec = elastic_job();
  spec.elastic.per_node = kTasksMax + 1;
  EXPECT_EQ(check(spec).error(), Errc::invalid_argument);
}

TEST(JobSpec, ThatARankHasSpawnedDoesNotGrow) {
  JobSpec spec = elastic_job();
  spec.parent = pmix::ProcessName{"job", 0};
  EXPECT_EQ(check(spec).error(), Errc::invalid_argument);
}

}  // namespace
}  // namespace krg::jobs

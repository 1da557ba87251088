#include "krg/topo/topology.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

namespace krg::topo {
namespace {

constexpr const char* kTwoPackagesSmt = "pack:2 numa:1 l3:2 l2:4 core:1 pu:2";

Topology synthetic(const std::string& description) {
  auto topology = Topology::from_synthetic(description);
  EXPECT_TRUE(topology) << description;
  return std::move(topology).value();
}

// Sets a variable for hwloc and puts it back.
class Variable {
 public:
  Variable(const char* name, const char* value) : name_(name) { setenv(name, value, 1); }
  ~Variable() { unsetenv(name_); }

 private:
  const char* name_;
};

TEST(Topology, CountsTheObjectsOfEveryLevel) {
  const Topology t = synthetic(kTwoPackagesSmt);
  EXPECT_EQ(t.count(Level::machine), 1u);
  EXPECT_EQ(t.count(Level::package), 2u);
  EXPECT_EQ(t.count(Level::numa), 2u);
  EXPECT_EQ(t.count(Level::l3cache), 4u);
  EXPECT_EQ(t.count(Level::l2cache), 16u);
  EXPECT_EQ(t.count(Level::l1cache), 0u);
  EXPECT_EQ(t.count(Level::core), 16u);
  EXPECT_EQ(t.count(Level::hwthread), 32u);
  EXPECT_EQ(t.objects(Level::package)[1].cpus.list(), "16-31");
  EXPECT_EQ(t.objects(Level::core)[3].cpus.list(), "6-7");
  EXPECT_EQ(t.objects(Level::hwthread)[5].os_index, 5u);
}

TEST(Topology, EveryObjectOfALevelIsDisjointAndUsable) {
  const Topology t = synthetic("numa:4 l3:1 core:8 pu:1");
  for (std::size_t i = 0; i < kLevels; ++i) {
    CpuSet seen;
    for (const Object& object : t.objects(static_cast<Level>(i))) {
      EXPECT_FALSE(seen.intersects(object.cpus));
      EXPECT_TRUE(t.cpus().contains(object.cpus));
      seen |= object.cpus;
    }
  }
}

TEST(Topology, WithoutPackagesOrCoresHasTheMachineAndTheThreads) {
  const Topology t = synthetic("pu:4");
  ASSERT_EQ(t.count(Level::package), 1u);
  EXPECT_EQ(t.objects(Level::package)[0].cpus.list(), "0-3");
  EXPECT_EQ(t.count(Level::core), 4u);
}

TEST(Topology, LosesWhatARestrictionTakesAway) {
  const Topology whole = synthetic("pack:2 core:4 pu:2");
  auto part = whole.restricted(*CpuSet::parse_list("0-2,8"));
  ASSERT_TRUE(part);
  EXPECT_EQ(part->cpus().list(), "0-2,8");
  EXPECT_EQ(part->count(Level::package), 2u);
  EXPECT_EQ(part->count(Level::core), 3u);
  EXPECT_EQ(part->objects(Level::core)[1].cpus.list(), "2");
  EXPECT_EQ(whole.count(Level::core), 8u) << "the original stays as it was";
  EXPECT_FALSE(whole.restricted(CpuSet::single(99)));
}

TEST(Topology, TravelsAsXml) {
  const Topology t = synthetic(kTwoPackagesSmt);
  auto xml = t.xml();
  ASSERT_TRUE(xml);
  auto back = Topology::from_xml(*xml);
  ASSERT_TRUE(back);
  EXPECT_FALSE(back->is_this_machine());
  for (std::size_t i = 0; i < kLevels; ++i) {
    const auto level = static_cast<Level>(i);
    ASSERT_EQ(back->count(level), t.count(level));
    for (std::size_t j = 0; j < t.count(level); ++j) {
      EXPECT_EQ(back->objects(level)[j].cpus, t.objects(level)[j].cpus);
    }
  }
}

TEST(Topology, RefusesTextThatIsNotATopology) {
  EXPECT_FALSE(Topology::from_xml(""));
  EXPECT_FALSE(Topology::from_xml("<html></html>"));
  EXPECT_FALSE(Topology::from_xml("\x01\x02\x03"));
  const std::string xml = *synthetic("pu:2").xml();
  EXPECT_FALSE(Topology::from_xml(std::string_view(xml).substr(0, xml.size() / 2)));
  EXPECT_FALSE(Topology::from_synthetic("pack:two"));
  auto none = Topology::from_xml_file("/nonexistent/topology.xml");
  ASSERT_FALSE(none);
  EXPECT_EQ(none.error().code(), Errc::not_found);
}

TEST(Topology, OfAnotherMachineNeverBinds) {
  const Topology t = synthetic("pu:64");
  EXPECT_FALSE(t.is_this_machine());
  const CpuSet before = *binding(0);
  EXPECT_TRUE(t.bind(0, CpuSet::single(63)));
  EXPECT_EQ(*binding(0), before);
}

TEST(Topology, SaidToBeOfThisMachineBindsForReal) {
  const Variable real("HWLOC_THISSYSTEM", "1");
  const Topology t = synthetic("pu:512");
  ASSERT_TRUE(t.is_this_machine());
  const Status status = t.bind(0, CpuSet::single(511));
  ASSERT_FALSE(status) << "this machine would need 512 cpus";
  EXPECT_EQ(status.error().code(), Errc::invalid_argument);
}

TEST(Topology, OfThisMachineBindsAnotherProcess) {
  auto t = Topology::machine();
  ASSERT_TRUE(t);
  ASSERT_TRUE(t->is_this_machine());
  const pid_t child = fork();
  if (child == 0) {
    pause();
    _exit(0);
  }
  const CpuSet one = CpuSet::single(t->cpus().last());
  const Status bound = t->bind(child, one);
  const auto now = binding(child);
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_TRUE(bound);
  ASSERT_TRUE(now);
  EXPECT_EQ(*now, one);
}

TEST(Topology, BindsTheCaller) {
  auto t = Topology::machine();
  ASSERT_TRUE(t);
  const CpuSet before = *binding(0);
  const CpuSet one = CpuSet::single(before.first());
  EXPECT_TRUE(t->bind(0, one));
  EXPECT_EQ(*binding(0), one);
  EXPECT_TRUE(t->bind(0, before));
}

TEST(Topology, ReportsAProcessThatIsNotThere) {
  auto t = Topology::machine();
  ASSERT_TRUE(t);
  const pid_t child = fork();
  if (child == 0) _exit(0);
  waitpid(child, nullptr, 0);
  const Status status = t->bind(child, t->cpus());
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Errc::not_found);
  EXPECT_FALSE(binding(child));
}

TEST(Topology, OfTheMachineFollowsHwlocsEnvironment) {
  const Variable shape("HWLOC_SYNTHETIC", "pack:2 core:2 pu:2");
  auto t = Topology::machine();
  ASSERT_TRUE(t);
  EXPECT_EQ(t->count(Level::hwthread), 8u);
  EXPECT_FALSE(t->is_this_machine());
}

TEST(Topology, FindsTheObjectAroundASetOfCpus) {
  const Topology t = synthetic(kTwoPackagesSmt);
  EXPECT_EQ(t.enclosing(Level::package, *CpuSet::parse_list("16-17")), 1u);
  EXPECT_EQ(t.enclosing(Level::core, *CpuSet::parse_list("6-7")), 3u);
  EXPECT_EQ(t.enclosing(Level::package, *CpuSet::parse_list("15-16")), std::nullopt);
}

TEST(Topology, NamesItsLevels) {
  for (std::size_t i = 0; i < kLevels; ++i) {
    EXPECT_EQ(parse_level(name(static_cast<Level>(i))), static_cast<Level>(i));
  }
  EXPECT_EQ(parse_level("socket"), Level::package);
  EXPECT_EQ(parse_level("sock"), std::nullopt);
}

}  // namespace
}  // namespace krg::topo

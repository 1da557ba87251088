#include "krg/config/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>

#include "sample.h"

namespace krg::config {
namespace {

using sample::Options;
using sample::Provider;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// A file with some content, gone at the end of the test.
class TempFile {
 public:
  explicit TempFile(const std::string& content) {
    char name[] = "/tmp/krg_config_XXXXXX";
    const int fd = mkstemp(name);
    EXPECT_GE(fd, 0);
    close(fd);
    name_ = name;
    std::ofstream(name_) << content;
  }
  ~TempFile() { unlink(name_.c_str()); }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

Config load(const Sources& sources) { return Config({&Options::table()}, sources); }

Sources environment(Environment::Map variables) {
  Sources sources;
  sources.environment = Environment(std::move(variables));
  return sources;
}

TEST(Config, DefaultsFillTheStruct) {
  const Options options = load(environment({{"HOME", "/home/ada"}})).read(Options::table());
  EXPECT_EQ(options.provider, Provider::automatic);
  EXPECT_EQ(options.reach, std::chrono::seconds(5));
  EXPECT_EQ(options.window.bytes, 65536u);
  EXPECT_EQ(options.shards, 1);
  EXPECT_TRUE(options.spin);
  EXPECT_EQ(options.name, "");
  EXPECT_EQ(options.log.name, "/home/ada/krg.log");
}

TEST(Config, LaterSourcesWinAndTheOriginIsKept) {
  const TempFile system("[transport]\nreach = '1s'\nshards = 2\nspin = false\nname = 'a'\n");
  const TempFile user("[transport]\nshards = 3\nspin = true\nname = 'b'\n");
  Sources sources = environment({{"KRG_TRANSPORT_SPIN", "no"}, {"KRG_TRANSPORT_NAME", "c"}});
  sources.system_file = system.name();
  sources.user_file = user.name();
  sources.command_line = {{"transport.name", "d", "--name"}};

  const Config config = load(sources);
  EXPECT_THAT(config.errors(), IsEmpty());
  const Options options = config.read(Options::table());
  EXPECT_EQ(options.reach, std::chrono::seconds(1));
  EXPECT_EQ(options.shards, 3);
  EXPECT_FALSE(options.spin);
  EXPECT_EQ(options.name, "d");

  std::vector<std::string> origins;
  for (const Setting& setting : config.settings()) origins.push_back(setting.origin);
  EXPECT_THAT(origins, ElementsAre("default", system.name() + ":2", "default", user.name() + ":2",
                                   "KRG_TRANSPORT_SPIN", "--name", "default"));
}

TEST(Config, ASingleWordVariableIsPossible) {
  const Config config = load(environment({{"KRG_TRANSPORT", "ofi"}}));
  EXPECT_EQ(config.read(Options::table()).provider, Provider::ofi);
  EXPECT_THAT(config.warnings(), IsEmpty());
}

TEST(Config, ABadValueNamesVariableValueWantedAndOriginAndChangesNothing) {
  const Config config = load(environment({{"KRG_TRANSPORT_REACH", "soon"}}));
  EXPECT_THAT(config.errors(),
              ElementsAre("KRG_TRANSPORT_REACH is \"soon\", want a duration such as 250ms or 5s, "
                          "from 1ms to 1h (from the environment)"));
  EXPECT_EQ(config.read(Options::table()).reach, std::chrono::seconds(5));
  EXPECT_FALSE(config.report());
}

TEST(Config, ABadValueInAFileNamesTheLine) {
  const TempFile file("[transport]\n\nshards = 65\n");
  Sources sources;
  sources.user_file = file.name();
  EXPECT_THAT(load(sources).errors(),
              ElementsAre("transport.shards is \"65\", want an integer from 1 to 64 (from " +
                          file.name() + ":3)"));
}

TEST(Config, UnknownVariablesWarnWithTheNearestName) {
  const Config config = load(
      environment({{"KRG_TRANSPROT_REACH", "1s"}, {"KRG_SOMETHING_ELSE", "1"}, {"PATH", "/bin"}}));
  EXPECT_THAT(config.errors(), IsEmpty());
  EXPECT_THAT(config.warnings(), ElementsAre("unknown variable KRG_SOMETHING_ELSE",
                                             "unknown variable KRG_TRANSPROT_REACH, did you mean "
                                             "KRG_TRANSPORT_REACH?"));
  EXPECT_TRUE(config.report());
}

TEST(Config, WhatKrgGivesItselfIsNoUnknownVariable) {
  constexpr Given kGiven[] = {{"KRG_RANK", "The task's number."}};
  const Config config({&Options::table()}, environment({{"KRG_RANK", "3"}, {"KRG_RANKS", "3"}}),
                      kGiven);
  EXPECT_THAT(config.warnings(), ElementsAre("unknown variable KRG_RANKS"));
}

TEST(Config, AnUnknownKeyWarnsInAFileAndIsAnErrorOnTheCommandLine) {
  const TempFile file("[transport]\nshard = 2\n");
  Sources sources;
  sources.user_file = file.name();
  sources.command_line = {{"transport.raech", "1s", "--set"}};
  const Config config = load(sources);
  EXPECT_THAT(config.warnings(), ElementsAre(HasSubstr("did you mean transport.shards?")));
  EXPECT_THAT(config.errors(),
              ElementsAre("--set: unknown key transport.raech, did you mean transport.reach?"));
}

TEST(Config, ABrokenFileIsOneError) {
  const TempFile file("[transport\n");
  Sources sources;
  sources.system_file = file.name();
  EXPECT_THAT(load(sources).errors(), ElementsAre(HasSubstr(file.name() + ":1")));
}

// toml++ alone leaves defined behaviour here.
TEST(Config, ALetterOutsideOfAsciiWhereNoneMayStandIsAnErrorOfItsLine) {
  const TempFile file("[transport]\ngr\u00f6\u00dfe = 1\n");
  Sources sources;
  sources.system_file = file.name();
  EXPECT_THAT(load(sources).errors(), ElementsAre(HasSubstr(file.name() + ":2")));
}

TEST(Config, AValueOfTheWrongTomlTypeIsAnError) {
  const TempFile file("[transport]\nname = ['a', 'b']\n");
  Sources sources;
  sources.system_file = file.name();
  EXPECT_THAT(load(sources).errors(), ElementsAre(HasSubstr("transport.name must be")));
}

TEST(Config, AMissingFileIsNoError) {
  Sources sources;
  sources.system_file = "/nonexistent/krg.toml";
  EXPECT_THAT(load(sources).errors(), IsEmpty());
}

TEST(Environment, IsASnapshotOfTheProcess) {
  ASSERT_EQ(setenv("KRG_TEST_SNAPSHOT", "a=b", 1), 0);
  const Environment environment = Environment::of_process();
  ASSERT_EQ(unsetenv("KRG_TEST_SNAPSHOT"), 0);
  EXPECT_EQ(environment.get("KRG_TEST_SNAPSHOT"), "a=b");
  EXPECT_EQ(environment.get("KRG_TEST_NOT_THERE"), std::nullopt);
}

}  // namespace
}  // namespace krg::config

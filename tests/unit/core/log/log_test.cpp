#include "krg/log/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

namespace krg {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

// The log is the process's: each test points it at a file of its own.
class LogTest : public testing::Test {
 protected:
  LogTest() {
    char name[] = "/tmp/krg_log_XXXXXX";
    const int fd = mkstemp(name);
    EXPECT_GE(fd, 0);
    close(fd);
    name_ = name;
    EXPECT_TRUE(log::open(name_));
    log::set_level(log::Level::info);
    log::set_who("krgd 3");
  }
  ~LogTest() override { unlink(name_.c_str()); }

  std::string content() const {
    std::ifstream file(name_);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  std::string name_;
};

TEST_F(LogTest, ALineHasTimeWhoLevelAndText) {
  KRG_INFO("peer {} joined with {}", 3, "tcp");
  EXPECT_THAT(content(), ContainsRegex("[0-9:.]+ krgd 3 info: peer 3 joined with tcp\n"));
}

TEST_F(LogTest, LinesBelowTheLevelAreNotWritten) {
  KRG_DEBUG("quiet");
  KRG_ERROR("loud");
  log::set_level(log::Level::off);
  KRG_ERROR("off");
  EXPECT_THAT(content(), HasSubstr("loud"));
  EXPECT_THAT(content(), Not(HasSubstr("quiet")));
  EXPECT_THAT(content(), Not(HasSubstr(": off")));
}

TEST_F(LogTest, LevelsHaveNames) {
  for (const char* name : {"trace", "debug", "info", "warn", "error", "off"}) {
    EXPECT_TRUE(log::parse_level(name)) << name;
  }
  EXPECT_EQ(*log::parse_level("warn"), log::Level::warn);
  EXPECT_FALSE(log::parse_level("loud"));
  EXPECT_FALSE(log::parse_level(""));
}

TEST_F(LogTest, AFileThatCanNotBeOpenedLeavesTheLogWhereItWas) {
  EXPECT_FALSE(log::open(name_ + "/krg.log"));  // A file is no directory.
  KRG_WARN("still here");
  EXPECT_THAT(content(), HasSubstr("still here"));
}

TEST_F(LogTest, ThreadsDoNotMixTheirLines) {
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([t] {
      for (int i = 0; i < 100; ++i) KRG_INFO("thread {} line {} end", t, i);
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::ifstream file(name_);
  int lines = 0;
  for (std::string line; std::getline(file, line); ++lines) {
    EXPECT_THAT(line, ContainsRegex("info: thread [0-9] line [0-9]+ end$"));
  }
  EXPECT_EQ(lines, 400);
}

}  // namespace
}  // namespace krg

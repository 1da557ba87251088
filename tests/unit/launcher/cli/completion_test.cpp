#include "krg/cli/completion.h"

#include <gtest/gtest.h>
#include <stdio.h>
#include <unistd.h>

#include <fstream>

#include "commands.h"

namespace krg::cli {
namespace {

// What bash offers after these words, as the real bash and bash-completion do it.
std::string offered(const Command& command, const std::string& words) {
  const std::string path = "completion_test." + std::to_string(getpid());
  {
    std::ofstream out(path);
    out << ". /usr/share/bash-completion/bash_completion\n" << bash_completion(command);
    out << "COMP_WORDS=(" << words << ")\n"
        << "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))\n"
        << "COMP_LINE=\"${COMP_WORDS[*]}\"\n"
        << "COMP_POINT=${#COMP_LINE}\n"
        << "_" << command.name << " 2>/dev/null\n"
        << "echo \"${COMPREPLY[*]}\"\n";
  }
  FILE* const bash = popen(("bash --norc " + path + " 2>&1").c_str(), "r");
  std::string out;
  char line[4096];
  while (fgets(line, sizeof line, bash) != nullptr) out += line;
  pclose(bash);
  unlink(path.c_str());
  return out;
}

TEST(Completion, OffersOptions) {
  EXPECT_EQ(offered(testing::kRun, "run --ma"), "--map-by\n");
  EXPECT_EQ(offered(testing::kRun, "run -n 4 --q"), "--quiet\n");
  EXPECT_EQ(offered(testing::kRun, "run --grow --q"), "--quiet\n");
}

TEST(Completion, OffersTheWordsOfAnOption) {
  EXPECT_EQ(offered(testing::kRun, "run --map-by ''"), "slot node core\n");
  EXPECT_EQ(offered(testing::kRun, "run --map-by n"), "node\n");
  EXPECT_EQ(offered(testing::kRun, "run -n ''"), "\n");
}

TEST(Completion, OffersNothingOfOursAfterTheProgram) {
  EXPECT_EQ(offered(testing::kRun, "run -n 2 /bin/true --ma"), "\n");
  EXPECT_EQ(offered(testing::kRun, "run /bin/true : --ma"), "--map-by\n");
}

TEST(Completion, OffersSubcommandsAndTheirOptions) {
  EXPECT_EQ(offered(testing::kAdmin, "admin sta"), "status\n");
  EXPECT_EQ(offered(testing::kAdmin, "admin status --j"), "--json\n");
  EXPECT_EQ(offered(testing::kAdmin, "admin nodes --j"), "\n");
  EXPECT_EQ(offered(testing::kAdmin, "admin cluster st"), "start stop\n");
  EXPECT_EQ(offered(testing::kAdmin, "admin cluster start --j"), "--json\n");
}

TEST(Completion, OffersTheWordsOfASubcommandAndOptionsBehindThem) {
  EXPECT_EQ(offered(testing::kAdmin, "admin disks a"), "add\n");
  EXPECT_EQ(offered(testing::kAdmin, "admin disks --j"), "--json\n");
  EXPECT_EQ(offered(testing::kAdmin, "admin disks add a"), "\n");
  EXPECT_EQ(offered(testing::kAdmin, "admin disks add a --j"), "--json\n");
}

}  // namespace
}  // namespace krg::cli

#include "krg/cli/parse.h"

#include <gtest/gtest.h>

#include <sstream>

#include "commands.h"
#include "krg/cli/help.h"

namespace krg::cli {
namespace {

using testing::kAdmin;
using testing::kRun;

// "--np=4 -x=A,B | rest...", or the complaint.
std::string parsed(const Command& command, const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words{std::istream_iterator<std::string>(in), {}};
  std::vector<std::string_view> args(words.begin(), words.end());
  std::string complaint;
  const auto arguments = parse(command, args, complaint);
  if (!arguments) return "refused: " + complaint;
  std::string out;
  if (arguments->command != nullptr) out += std::string(arguments->command->name) + " ";
  for (const std::string_view name : arguments->given()) {
    out += std::string(name) + "=";
    const char* comma = "";
    for (const std::string& value : arguments->values(name)) {
      out += comma + value;
      comma = ",";
    }
    out += " ";
  }
  out += "|";
  for (const std::string& word : arguments->rest) out += " " + word;
  return out;
}

TEST(Parse, TakesEverySpellingOfAnOption) {
  for (const char* line : {"-n 4", "--np 4", "--np=4", "-n4", "-np 4", "-np=4", "-n=4"}) {
    EXPECT_EQ(parsed(kRun, line), "--np=4 |") << line;
  }
  EXPECT_EQ(parsed(kRun, "-hostfile h"), "--hostfile=h |");
  EXPECT_EQ(parsed(kRun, "-qv"), "--quiet= --verbose= |");
  EXPECT_EQ(parsed(kRun, "-map-by core:PE=2"), "--map-by=core:PE=2 |");
}

TEST(Parse, LeavesTheProgramItsOptions) {
  EXPECT_EQ(parsed(kRun, "-n 2 ./app -n 3 --np 4 -z"), "--np=2 | ./app -n 3 --np 4 -z");
  EXPECT_EQ(parsed(kRun, "-n 2 -- -app -q"), "--np=2 | -app -q");
}

TEST(Parse, TakesTwoWordsAndRepetitions) {
  EXPECT_EQ(parsed(kRun, "-genv A 1 --genv B 2 -x C -x D=4 p"), "--genv=A,1,B,2 -x=C,D=4 | p");
  EXPECT_EQ(parsed(kRun, "-v -v"), "--verbose=, |");
}

TEST(Parse, TakesAWordThatMayBeLeftOut) {
  EXPECT_EQ(parsed(kRun, "--grow 4 p"), "--grow= | 4 p") << "only behind '='";
  EXPECT_EQ(parsed(kRun, "--grow=4 p"), "--grow=4 | p");
  EXPECT_EQ(parsed(kRun, "-grow=4 p"), "--grow=4 | p");
  EXPECT_EQ(parsed(kRun, "--grow= p"),
            "refused: option --grow= lacks its argument: write --grow[=N]");
  EXPECT_NE(help(kRun).find("  --grow[=N]  "), std::string::npos);
}

TEST(Parse, SaysWhatIsWrongInOneLine) {
  EXPECT_EQ(parsed(kRun, "-n 2 --np 3"), "refused: option --np is given twice: leave one out");
  EXPECT_EQ(parsed(kRun, "-q -q"), "refused: option -q is given twice: leave one out");
  EXPECT_EQ(parsed(kRun, "-n"), "refused: option -n lacks its argument: write -n N");
  EXPECT_EQ(parsed(kRun, "-genv A"),
            "refused: option -genv lacks its argument: write -genv NAME VALUE");
  EXPECT_EQ(parsed(kRun, "--quiet=1"), "refused: option --quiet takes no '=': write --quiet ");
  EXPECT_EQ(parsed(kRun, "--mapby core"),
            "refused: unknown option --mapby: did you mean --map-by?");
  EXPECT_EQ(parsed(kRun, "-hostfle h"),
            "refused: unknown option -hostfle: did you mean --hostfile?");
  EXPECT_EQ(parsed(kRun, "--frobnicate"), "refused: unknown option --frobnicate: --help lists all");
  EXPECT_EQ(parsed(kRun, "-qz"), "refused: unknown option -qz: --help lists all");
}

TEST(Parse, FindsTheSubcommand) {
  EXPECT_EQ(parsed(kAdmin, "status --json --cluster c"), "status --cluster=c --json= |");
  EXPECT_EQ(parsed(kAdmin, "--cluster c nodes extra"), "nodes --cluster=c | extra");
  EXPECT_EQ(parsed(kAdmin, "nodes --json"), "refused: unknown option --json: --help lists all");
  EXPECT_EQ(parsed(kAdmin, "statu"),
            "refused: unknown command 'statu', did you mean 'status'?; try: admin --help");
  EXPECT_EQ(parsed(kAdmin, ""), "refused: which command? try: admin --help");
  EXPECT_EQ(parsed(kAdmin, "cluster start --json --cluster c x"), "start --cluster=c --json= | x");
  EXPECT_EQ(parsed(kAdmin, "cluster"), "refused: which command? try: admin cluster --help");
  EXPECT_EQ(parsed(kAdmin, "cluster stat"),
            "refused: unknown command 'stat', did you mean 'start'?; try: admin cluster --help");
}

std::string answer(const Command& command, std::vector<std::string_view> args) {
  std::string complaint;
  const auto arguments = parse(command, args, complaint);
  if (!arguments) return complaint;
  return arguments->answer(command).value_or("nothing");
}

TEST(Answer, ShowsHelpWhateverElseIsThere) {
  EXPECT_EQ(answer(kRun, {"-n", "2", "--help", "--nonsense"}), help(kRun));
  EXPECT_EQ(answer(kAdmin, {"status", "-h"}), help(kAdmin.commands[1], "admin"));
  EXPECT_TRUE(answer(kAdmin, {"cluster", "stop", "-h"}).starts_with("Usage: admin cluster stop "));
  EXPECT_TRUE(answer(kRun, {"--version"}).starts_with("run "));
  EXPECT_EQ(answer(kRun, {"prog", "--help"}), "nothing") << "the program's, not ours";
}

TEST(Help, ListsEveryOptionUnderItsGroup) {
  const std::string text = help(kRun);
  for (const Option& option : kRun.options) {
    for (const std::string_view name : spellings_of(option)) {
      EXPECT_NE(text.find(std::string(name)), std::string::npos) << name;
    }
    EXPECT_NE(text.find(std::string(option.help)), std::string::npos);
    EXPECT_NE(text.find("\n" + std::string(option.group) + ":\n"), std::string::npos);
  }
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) EXPECT_LE(line.size(), 100u);
}

TEST(Help, ListsSubcommands) {
  EXPECT_NE(help(kAdmin).find("  status                          Shows what runs\n"),
            std::string::npos)
      << help(kAdmin);
}

}  // namespace
}  // namespace krg::cli

#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>

#include "fixture.h"

namespace krg::placement {
namespace {

using testing::Machines;

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// Builds the machines that a line describes: "nodes 2 SHAPE", "slots 4", "keep LIST", "ranks 8".
class Reader {
 public:
  // Answers every case of a file; a case ends with an empty line or a line of '='.
  std::string answer_all(const std::string& questions) {
    std::istringstream in(questions);
    std::string out;
    for (std::string line; std::getline(in, line);) {
      if (line.empty() || line[0] == '#') {
        out += line + '\n';
        continue;
      }
      if (line.starts_with("= ")) continue;  // An old answer.
      out += line + '\n' + answer(line);
    }
    return out;
  }

 private:
  // "2 x pack:2 core:4 pu:1 | 4 slots | ranks 8 | --map-by core"
  std::string answer(const std::string& line) {
    std::istringstream parts(line);
    Machines machines;
    std::string part;
    bool bindings = false;
    while (std::getline(parts, part, '|')) {
      part.erase(0, part.find_first_not_of(' '));
      part.erase(part.find_last_not_of(' ') + 1);
      std::istringstream words(part);
      std::string first;
      words >> first;
      if (first == "ranks") {
        std::uint32_t ranks = 0;
        while (words >> ranks) machines.app(ranks);
      } else if (first == "keep") {
        machines.keep(part.substr(5));
      } else if (first == "bindings") {
        bindings = true;
      } else if (first.starts_with("--")) {
        machines.options(part);
      } else {
        add_nodes(machines, part);
      }
    }
    std::istringstream lines(bindings ? machines.bindings() : machines.display());
    std::string out;
    for (std::string each; std::getline(lines, each);) out += "= " + each + '\n';
    return out;
  }

  // "2 x SHAPE" or "2 x SHAPE ; 4"
  static void add_nodes(Machines& machines, const std::string& part) {
    const auto x = part.find(" x ");
    ASSERT_NE(x, std::string::npos) << part;
    const auto semicolon = part.find(';');
    const auto count = static_cast<std::uint32_t>(std::stoul(part));
    std::uint32_t slots = 0;
    if (semicolon != std::string::npos) {
      slots = static_cast<std::uint32_t>(std::stoul(part.substr(semicolon + 1)));
    }
    machines.add(count, part.substr(x + 3, semicolon - x - 3), slots);
  }
};

class Golden : public ::testing::TestWithParam<const char*> {};

// To write the answers anew after a wanted change: KRG_GOLDEN_WRITE=1 tests/unit_placement
TEST_P(Golden, AnswersStayAsTheyWere) {
  const std::string path = std::string(KRG_GOLDEN_FOLDER "/") + GetParam();
  const std::string wanted = read(path);
  ASSERT_FALSE(wanted.empty()) << path;
  const std::string now = Reader().answer_all(wanted);
  if (std::getenv("KRG_GOLDEN_WRITE") != nullptr) {
    std::ofstream(path) << now;
    FAIL() << path << " is written anew: look at the difference, then run without it";
  }
  EXPECT_EQ(now, wanted);
}

INSTANTIATE_TEST_SUITE_P(Files, Golden,
                         ::testing::Values("small.txt", "smt.txt", "numa.txt", "uneven.txt",
                                           "large.txt"),
                         [](const auto& info) {
                           const std::string name = info.param;
                           return name.substr(0, name.find('.'));
                         });

}  // namespace
}  // namespace krg::placement

// Goal    docs/design/kddm.md shows the tables that the code has.
// Method  both are generated and looked up in the page; `--write` puts them there.
#include "table.h"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>
#include <sstream>

#include "options.h"

namespace krg::kddm_protocol::testing {
namespace {

Options& mutable_options() {
  static Options options;
  return options;
}

std::string read(const std::string& path) {
  std::ifstream in(path);
  std::stringstream text;
  text << in.rdbuf();
  return text.str();
}

// Where the text between the two marks of `name` begins and ends.
bool between_marks(const std::string& page, const std::string& name, std::size_t& begin,
                   std::size_t& end) {
  const std::string first = "<!-- generated: " + name + " -->\n";
  begin = page.find(first);
  if (begin == std::string::npos) return false;
  begin += first.size();
  end = page.find("<!-- end -->", begin);
  return end != std::string::npos;
}

void expect_shown(const std::string& name, const std::string& table) {
  std::string page = read(options().doc);
  std::size_t begin = 0, end = 0;
  ASSERT_TRUE(between_marks(page, name, begin, end)) << "no marks of " << name;
  if (options().write) {
    page.replace(begin, end - begin, table);
    std::ofstream(options().doc) << page;
    page = read(options().doc);
    ASSERT_TRUE(between_marks(page, name, begin, end));
  }
  EXPECT_EQ(page.substr(begin, end - begin), table)
      << "run unit_kddm_protocol --write --doc docs/design/kddm.md";
}

TEST(KddmProtocolTable, ThePageShowsTheHomesTable) { expect_shown("home", home_table()); }
TEST(KddmProtocolTable, ThePageShowsTheNodesTable) { expect_shown("node", node_table()); }

}  // namespace

const Options& options() { return mutable_options(); }

}  // namespace krg::kddm_protocol::testing

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  auto& options = krg::kddm_protocol::testing::mutable_options();
  for (int i = 1; i < argc; ++i) {
    if (std::strcmp(argv[i], "--large") == 0) options.large = true;
    if (std::strcmp(argv[i], "--write") == 0) options.write = true;
    if (std::strcmp(argv[i], "--doc") == 0 && i + 1 < argc) options.doc = argv[++i];
  }
  return RUN_ALL_TESTS();
}

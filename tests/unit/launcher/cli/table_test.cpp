#include "krg/cli/table.h"

#include <gtest/gtest.h>

namespace krg::cli {
namespace {

Table nodes() {
  Table table({"node", "Host name", "ranks", "load", "up"});
  table.add({std::int64_t{0}, "login", std::int64_t{16}, 0.5, true});
  table.add({std::int64_t{11}, "n1", std::monostate{}, 12.25, false});
  return table;
}

TEST(Table, AlignsNumbersRightAndWordsLeft) {
  EXPECT_EQ(nodes().text(),
            "node  Host name  ranks   load  up\n"
            "   0  login         16   0.50  yes\n"
            "  11  n1             -  12.25  no\n");
}

TEST(Table, KeepsTypesInJson) {
  EXPECT_EQ(nodes().json(),
            "[{\"node\":0,\"host_name\":\"login\",\"ranks\":16,\"load\":0.5,\"up\":true},"
            "{\"node\":11,\"host_name\":\"n1\",\"ranks\":null,\"load\":12.25,\"up\":false}]\n");
}

TEST(Table, WithoutRowsIsItsTitlesOrAnEmptyArray) {
  EXPECT_EQ(Table({"a", "b"}).text(), "a  b\n");
  EXPECT_EQ(Table({"a", "b"}).json(), "[]\n");
}

TEST(Table, TakesBytesThatAreNoText) {
  Table table({"name"});
  table.add(
      {std::string("a\xff"
                   "b\n")});
  EXPECT_EQ(table.json(),
            "[{\"name\":\"a\xef\xbf\xbd"
            "b\\n\"}]\n");
}

}  // namespace
}  // namespace krg::cli

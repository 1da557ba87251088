#include "krg/epm/proc_text.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>

#include <fstream>
#include <sstream>
#include <string>

namespace krg::epm {
namespace {

std::string slurp(const char* path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

TEST(ProcText, ReadsALineOfMapsWithAPathOfBlanks) {
  const auto line = parse_map_line(
      "7f12a000-7f12c000 rw-s 00003000 fe:01 1234                       /tmp/a file (deleted)");
  ASSERT_TRUE(line);
  EXPECT_EQ(line->begin, 0x7f12a000u);
  EXPECT_EQ(line->end, 0x7f12c000u);
  EXPECT_EQ(line->offset, 0x3000u);
  EXPECT_EQ(line->inode, 1234u);
  EXPECT_EQ(line->protection, static_cast<unsigned>(PROT_READ | PROT_WRITE));
  EXPECT_TRUE(line->shared);
  EXPECT_EQ(line->path, "/tmp/a file (deleted)");
}

TEST(ProcText, RefusesMapsThatAreNone) {
  for (const char* text : {"", "x", "12-10 r--p 0 0:0 0", "10-12 r-- 0 0:0 0", "10-12 r--p 0",
                           "10-12 r--p g 0:0 0", "fffffffffffffffff-1 r--p 0 0:0 0"}) {
    EXPECT_FALSE(parse_map_line(text)) << text;
  }
  EXPECT_TRUE(parse_maps("10-12 r--p 0 0:0 0\nnonsense\n").empty());
}

TEST(ProcText, ReadsItsOwnProcess) {
  const auto maps = parse_maps(slurp("/proc/self/maps"));
  ASSERT_FALSE(maps.empty());
  bool stack = false;
  for (const MapLine& line : maps) stack = stack || line.path == "[stack]";
  EXPECT_TRUE(stack);
  EXPECT_EQ(numbers(field(slurp("/proc/self/status"), "Tgid"), 10),
            std::vector<std::uint64_t>{static_cast<std::uint64_t>(getpid())});
  EXPECT_GE(parse_stat(slurp("/proc/self/stat")).size(), 49u);
}

TEST(ProcText, CountsTheFieldsOfStatFromTheNamesEnd) {
  std::string text = "1 (a) b) ) S -1";
  for (int i = 5; i <= 51; ++i) text += " " + std::to_string(i);
  const auto fields = parse_stat(text + "\n");
  ASSERT_EQ(fields.size(), 49u);
  EXPECT_EQ(fields[0], static_cast<std::uint64_t>('S'));
  EXPECT_EQ(fields[1], ~std::uint64_t{0});
  EXPECT_EQ(fields[47 - 3], 47u);
  EXPECT_TRUE(parse_stat("1 (a) S 1 2").empty());
  EXPECT_TRUE(parse_stat("").empty());
}

TEST(ProcText, ReadsWhatADescriptorIs) {
  const auto file = parse_fdinfo("pos:\t17\nflags:\t02100002\nmnt_id:\t9\n");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->position, 17u);
  EXPECT_EQ(file->flags, static_cast<unsigned>(02100002));
  EXPECT_FALSE(file->event_count);
  EXPECT_FALSE(file->locked);
  const auto event = parse_fdinfo("pos:\t0\nflags:\t02\neventfd-count:               1f\n");
  ASSERT_TRUE(event);
  EXPECT_EQ(event->event_count, std::uint64_t{0x1f});
  EXPECT_TRUE(parse_fdinfo("pos:\t0\nflags:\t02\nlock:\t1: POSIX\n")->locked);
  EXPECT_FALSE(parse_fdinfo("flags:\t02\n"));
  EXPECT_FALSE(parse_fdinfo("pos:\t0\nflags:\t0777777777777\n"));
}

}  // namespace
}  // namespace krg::epm

// epm/proc_text.h: what /proc says of a process, as values.
//
// Model    pure: text -> values. Text that is not understood gives nothing, never an exception.
// Threads  safe.
// Blocks   never.
// Source   proc(5): pid/maps, pid/status, pid/stat, pid/fdinfo
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace krg::epm {

// A line of pid/maps.
struct MapLine {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
  std::uint64_t offset = 0;
  std::uint64_t inode = 0;
  std::uint32_t protection = 0;
  bool shared = false;
  std::string path;  // As shown: "/lib/libc.so", "[heap]", "/a (deleted)", "".
};
std::optional<MapLine> parse_map_line(std::string_view line);
// Lines that are not understood end it: nothing, rather than a part.
std::vector<MapLine> parse_maps(std::string_view text);

// "Name:\tvalue" of pid/status and of pid/fdinfo: the value, without blanks around it; "" = none.
std::string_view field(std::string_view text, std::string_view name);
// Numbers between blanks, of base 8, 10 or 16, until one is none.
std::vector<std::uint64_t> numbers(std::string_view text, int base);
// The fields of pid/stat behind the name, which may hold anything: the first is the state, field 3
// of proc(5). Empty if there are fewer than that page tells.
std::vector<std::uint64_t> parse_stat(std::string_view text);

// pid/fdinfo.
struct FdInfo {
  std::uint64_t position = 0;
  std::uint32_t flags = 0;  // As of open(2), O_CLOEXEC included.
  std::optional<std::uint64_t> event_count;
  bool locked = false;
};
std::optional<FdInfo> parse_fdinfo(std::string_view text);

}  // namespace krg::epm

#include "krg/objects/budget.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

namespace krg::objects {
namespace {

constexpr std::uint64_t kLeast = std::uint64_t{1} << 30;

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// "max" is none.
std::uint64_t limit_of(const std::string& folder) {
  const std::string text = first_line(folder + "/memory.max");
  std::uint64_t limit = 0;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, limit);
  return error == std::errc() && rest == end ? limit : 0;
}

}  // namespace

std::uint64_t group_limit(std::string_view proc_self_cgroup, const std::string& mounted) {
  std::uint64_t least = 0;
  while (!proc_self_cgroup.empty()) {
    const std::size_t end = proc_self_cgroup.find('\n');
    const std::string_view line = proc_self_cgroup.substr(0, end);
    proc_self_cgroup.remove_prefix(end == std::string_view::npos ? line.size() : end + 1);
    if (line.substr(0, 3) != "0::") continue;
    // The limit of each group above holds too; that of the root is the machine.
    for (std::string path(line.substr(3)); path.size() > 1; path.resize(path.rfind('/'))) {
      const std::uint64_t limit = limit_of(mounted + path);
      if (limit != 0) least = least == 0 ? limit : std::min(least, limit);
      if (path.rfind('/') == std::string::npos) break;
    }
  }
  return least;
}

std::uint64_t default_budget(std::uint32_t nodes) {
  const auto pages = static_cast<std::uint64_t>(std::max(::sysconf(_SC_PHYS_PAGES), 1L));
  std::uint64_t bytes = pages * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
  std::ifstream file("/proc/self/cgroup");
  std::stringstream text;
  text << file.rdbuf();
  const std::uint64_t group = group_limit(text.str(), "/sys/fs/cgroup");
  if (group != 0) bytes = std::min(bytes, group);
  return std::max(kLeast, bytes / 5 * 4 / nodes);
}

}  // namespace krg::objects

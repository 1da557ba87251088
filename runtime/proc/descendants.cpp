#include "krg/proc/descendants.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <unordered_map>

#include "krg/base/unique_fd.h"

namespace krg::proc {
namespace {

bool read_stat(const char* pid, Descendant& out) {
  const std::string path = std::string("/proc/") + pid + "/stat";
  const UniqueFd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd) return false;
  std::array<char, 512> text;
  const ssize_t n = read(fd.get(), text.data(), text.size() - 1);
  if (n <= 0) return false;
  text[static_cast<std::size_t>(n)] = '\0';
  // "pid (name) state ppid pgrp session": the name may hold anything, so count from its end.
  const char* const rest = std::strrchr(text.data(), ')');
  char state = 0;
  int parent = 0, group = 0, session = 0;
  if (rest == nullptr ||
      std::sscanf(rest + 1, " %c %d %d %d", &state, &parent, &group, &session) != 4) {
    return false;
  }
  out = {.pid = std::atoi(pid),
         .parent = parent,
         .session = session,
         .branch = 0,
         .zombie = state == 'Z' || state == 'X'};
  return true;
}

}  // namespace

Status become_reaper() {
  if (prctl(PR_SET_CHILD_SUBREAPER, 1) != 0) {
    return errno_error(Errc::system_error, "becoming the reaper of orphans");
  }
  return {};
}

std::vector<Descendant> descendants() {
  const std::unique_ptr<DIR, int (*)(DIR*)> proc(opendir("/proc"), closedir);
  if (proc == nullptr) return {};
  std::unordered_map<pid_t, Descendant> all;
  while (const dirent* entry = readdir(proc.get())) {
    Descendant one;
    if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9' && read_stat(entry->d_name, one)) {
      all.emplace(one.pid, one);
    }
  }
  const pid_t self = getpid();
  std::vector<Descendant> mine;
  for (const auto& [pid, one] : all) {
    // Climb until this process or the top; a loop can not be longer than the table.
    pid_t branch = pid;
    std::size_t steps = 0;
    auto at = all.find(pid);
    while (at != all.end() && at->second.parent != self && steps++ < all.size()) {
      branch = at->second.parent;
      at = all.find(branch);
    }
    if (at == all.end() || at->second.parent != self) continue;
    mine.push_back(one);
    mine.back().branch = branch;
  }
  return mine;
}

}  // namespace krg::proc

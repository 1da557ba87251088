// survey.h: what a process has that can be seen from outside, and what of it can not be moved.
//
// Model    reads /proc and stops nothing: done once to find out, and again when the process stands
//          still. Each problem is a line for the user: "fd 7: /dev/kvm".
// Threads  owned by one thread.
// Blocks   for some 10 us per mapping, thread and descriptor.
// Source   proc(5), kcmp(2); docs/design/epm.md, "What can not be moved"
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "krg/epm/image.h"

namespace krg::epm {

// What the mover knows of a process beforehand.
struct Known {
  // The ends that the process has of pipes and sockets that are relayed already: inode -> number.
  std::map<std::uint64_t, std::uint64_t> relays;
  std::uint64_t next_relay = 1;
  // It was moved here: its pid is of a name space that is ours.
  bool moved = false;
  // It stands still because we hold it.
  bool held = false;
};

struct Survey {
  Image image;  // But what only the process itself can tell.
  std::vector<std::string> problems;
};

Survey survey(pid_t pid, const Known& known);

// The parts.
void survey_identity(pid_t pid, const Known& known, Survey& into);
void survey_mappings(pid_t pid, Survey& into);
void survey_files(pid_t pid, const Known& known, Survey& into);

// The pid that a process or thread has in its own name space.
std::int32_t inner_pid(std::string_view status);

}  // namespace krg::epm

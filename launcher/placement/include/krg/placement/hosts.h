// placement/hosts.h: hosts as users name them, on the command line and in files.
//
// Model    text in, a list out; nothing is resolved or reached. A host named twice is one host
//          with the slots of both, in the place of the first.
// Threads  immutable.
// Blocks   read_hostfile() and read_text() as read(2) does; the rest never.
// Source   prterun(1) "Hostfiles"; mpiexec(1) -f
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "krg/error/result.h"

namespace krg::placement {

struct Host {
  std::string name;
  std::uint32_t slots = 0;      // 0 = as many as it has cores.
  std::uint32_t max_slots = 0;  // Not even :OVERSUBSCRIBE goes beyond; 0 = no such limit.
  bool operator==(const Host&) const = default;
};

// Lines "node[01-04] slots=4 max_slots=8", "node7:2", "node8"; '#' starts a comment. `origin` names
// the text in complaints: "hosts.txt:3: ...". Errors  invalid_argument  with one line in
// `complaint`.
Result<std::vector<Host>> parse_hostfile(std::string_view text, std::string_view origin,
                                         std::string& complaint);
// Errors  not_found, denied, system_error, invalid_argument.
Result<std::vector<Host>> read_hostfile(const std::string& path, std::string& complaint);

// A whole text file of at most 16 MiB; `what` names its kind in the complaint.
// Errors  not_found, denied, system_error, invalid_argument.
Result<std::string> read_text(const std::string& path, std::string_view what,
                              std::string& complaint);

// "a:2,b,node[3-5]:*": a host without a number has one slot per mention, ':*' and ':auto' mean as
// many as it has cores. `known`, when not empty, are the hosts to choose from: then "+n0" is the
// first of them, "+e2" any two of them, and a host without a number keeps the slots it has there.
// Errors  invalid_argument  with one line in `complaint`.
Result<std::vector<Host>> parse_host_list(std::string_view text, std::span<const Host> known,
                                          std::string& complaint);

// "node[01-03,7]" -> node01 node02 node03 node7; a name without brackets is itself.
// Errors  invalid_argument.
Result<std::vector<std::string>> expand_range(std::string_view name, std::string& complaint);

}  // namespace krg::placement

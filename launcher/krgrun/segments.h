// krgrun/segments.h: the command line cut into programs, and programs found on this machine.
//
// Model    words between ':' on the command line, or the lines of a --configfile with quotes as in
//          the shell.
// Threads  safe.
// Blocks   find_program() as stat(2) does.
// Source   mpiexec(1) -configfile; execvp(3)
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "krg/error/result.h"

namespace krg::krgrun {

// "a b : c" -> {a, b}, {c}.
std::vector<std::vector<std::string_view>> split_segments(std::span<const std::string_view> args);

// The lines of a configuration file; '#' starts a comment, "..." and '...' keep blanks, '\' keeps
// the next character.
// Errors  invalid_argument  with "line: what" in `complaint`.
Result<std::vector<std::vector<std::string>>> config_lines(std::string_view text,
                                                           std::string& complaint);

// The absolute name of the program as execvp() would find it from `directory` with `path`.
// Errors  not_found, denied  with one line in `complaint`.
Result<std::string> find_program(const std::string& name, const std::string& directory,
                                 std::string_view path, std::string& complaint);

// `name` seen from `directory`.
std::string absolute(std::string_view name, const std::string& directory);

}  // namespace krg::krgrun

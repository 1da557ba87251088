// krgrun/environment.h: what of our environment a program gets.
//
// Model    a base (all, none or a list of our variables), then settings in order. Both come in a
//          form for all programs and a form for one, which goes before.
// Threads  not shared.
// Blocks   never.
// Source   mpiexec(1) -genv, -env; mpirun(1) -x
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "krg/cli/parse.h"
#include "krg/error/result.h"

namespace krg::krgrun {

// The environment of one program. `all` are the options that hold for all programs, `own` those of
// this one; they may be the same. A variable that is asked for and not set is a warning.
// Errors  invalid_argument  with one line in `complaint`.
Result<std::vector<std::string>> environment_of(const std::vector<std::string>& ours,
                                                const cli::Arguments& all,
                                                const cli::Arguments& own,
                                                std::vector<std::string>& warnings,
                                                std::string& complaint);

// The value of NAME in a list of NAME=value.
std::optional<std::string_view> find_variable(const std::vector<std::string>& environment,
                                              std::string_view name);

}  // namespace krg::krgrun

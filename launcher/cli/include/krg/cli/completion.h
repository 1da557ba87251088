// cli/completion.h: a bash completion made from the table.
//
// Model    pure: the table of a command -> a file for share/bash-completion/completions.
// Threads  safe.
// Blocks   never.
// Source   cli/command.h; bash(1) "Programmable Completion"; bash-completion's _init_completion
#pragma once

#include <string>

#include "krg/cli/command.h"

namespace krg::cli {

std::string bash_completion(const Command& command);

}  // namespace krg::cli

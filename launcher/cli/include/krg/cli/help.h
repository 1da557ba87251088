// cli/help.h: the text of --help.
//
// Model    pure: the table of a command -> text of at most 100 columns.
// Threads  safe.
// Blocks   never.
// Source   cli/command.h
#pragma once

#include <string>
#include <string_view>

#include "krg/cli/command.h"

namespace krg::cli {

// `parent` is the command before a subcommand: "krgadm".
std::string help(const Command& command, std::string_view parent = {});

}  // namespace krg::cli

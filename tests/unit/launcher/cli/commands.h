// Two commands as real ones are: one that runs a program, one with subcommands.
#pragma once

#include "krg/cli/command.h"

namespace krg::cli::testing {

inline constexpr Option kRunOptions[] = {
    {"-n,--np", "N", "How many", "Ranks"},
    {"-x", "VAR[=VALUE]", "Pass a variable on", "Ranks", {}, true},
    {"--genv", "NAME VALUE", "Set a variable", "Ranks", {}, true},
    {"--grow", "[=N]", "Grow", "Ranks"},
    {"--map-by", "PLACE", "Where", "Placement", "slot node core"},
    {"--hostfile,-f", "FILE", "Read hosts", "Placement", "@file"},
    {"-q,--quiet", "", "Say less", "Messages"},
    {"-v,--verbose", "", "Say more", "Messages", {}, true},
};
inline constexpr Command kRun{"run", "Starts things", "[OPTION...] PROGRAM", kRunOptions, {}, true};

inline constexpr Option kStatusOptions[] = {{"--json", "", "As JSON", "Output"}};
inline constexpr Option kAdminOptions[] = {{"--cluster", "NAME", "Which cluster", "Cluster"}};
inline constexpr Command kClusterCommands[] = {
    {"start", "Starts one", "[OPTION...]", kStatusOptions},
    {"stop", "Stops one", "[OPTION...]"},
};
inline constexpr Command kSubcommands[] = {
    {"cluster", "Starts and stops", "COMMAND", {}, kClusterCommands},
    {"status", "Shows what runs", "[OPTION...]", kStatusOptions},
    {"nodes", "Shows the nodes", "[OPTION...]"},
    {"disks", "Looks after disks", "list | add NAME", kStatusOptions, {}, false, {}, "list add"},
};
inline constexpr Command kAdmin{"admin", "Looks after clusters", "COMMAND [OPTION...]",
                                kAdminOptions, kSubcommands};

}  // namespace krg::cli::testing

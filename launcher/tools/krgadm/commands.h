// commands.h: the subcommands of krgadm, one function each.
//
// Each prints its answer to stdout, or one line of complaint to stderr, and returns the exit code.
#pragma once

#include "ask.h"
#include "krg/cli/parse.h"
#include "krg/config/environment.h"
#include "krg/settings/settings.h"

namespace krg::krgadm {

int show_status(const Target& target, bool json);
// nodes [status | wait N | add HOST... | del NODE]
int nodes_command(const cli::Arguments& args, const Target& target,
                  const settings::Settings& settings, const config::Environment& environment);
int show_nodes(const Target& target, bool json);
int show_events(const Target& target, bool json);
int show_stats(const Target& target, bool json);
// mem [--hot [--top N]]
int show_memory(const cli::Arguments& args, const Target& target);
// locks [--cycles]
int show_locks(const cli::Arguments& args, const Target& target);
// What this machine allows; failed: krg can not run here.
int check_machine(bool json);
int show_config(const config::Environment& environment, bool json);
int list_clusters(const Target& target, bool json);
int start_cluster(const cli::Arguments& args, const Target& target,
                  const settings::Settings& settings, const config::Environment& environment);
int stop_cluster(const Target& target);

}  // namespace krg::krgadm

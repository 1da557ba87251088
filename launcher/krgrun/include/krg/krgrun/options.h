// krgrun/options.h: the command line of krgrun.
//
// Model    one table holds every option; help, man-page check and completion come from it. A line
//          becomes a Job, or text and an exit code. Everything wrong is found here, before
//          anything starts: one line on stderr and exit code 2.
// Threads  not shared.
// Blocks   on the files named and, for hosts, on name resolution.
// Source   krgrun(1)
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "krg/cli/command.h"
#include "krg/krgrun/job.h"
#include "krg/settings/settings.h"

namespace krg::krgrun {

// What the line is read against; given, so that a test can give another.
struct Surroundings {
  std::vector<std::string> environment;              // NAME=value, krgrun's own.
  std::string directory;                             // The working directory.
  std::string host;                                  // This machine.
  std::function<bool(const std::string&)> resolves;  // Whether a host's name is known.
  settings::Settings settings;
};
// Requires  no other thread changes the environment meanwhile.
Surroundings this_process();

struct Parsed {
  std::optional<Job> job;             // Absent: print and exit.
  std::string out;                    // For stdout: help, version.
  std::string complaint;              // For stderr, without "krgrun: "; exit_code is 2 then.
  std::vector<std::string> warnings;  // For stderr, one line each; the job runs all the same.
  int exit_code = 0;
};

// `args` without the program's name. Blocks on the files and names in them.
Parsed parse(std::span<const std::string_view> args, const Surroundings& around);

// The table.
const cli::Command& command();

}  // namespace krg::krgrun

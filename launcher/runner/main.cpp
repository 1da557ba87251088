#include <algorithm>
#include <cstdio>
#include <string_view>
#include <vector>

#include "krg/cli/exit.h"
#include "krg/config/environment.h"
#include "krg/krgd/krgd.h"
#include "krg/krgrun/options.h"
#include "krg/proc/title.h"
#include "krg/runner/run.h"
#include "krg/topo/topology.h"

int main(int argc, char** argv) {
  const krg::config::Environment environment = krg::config::Environment::of_process();
  krg::topo::skip_plugins();
  const std::vector<std::string_view> args(argv + 1, argv + argc);
  const krg::krgrun::Parsed parsed = krg::krgrun::parse(args, krg::krgrun::this_process());
  if (!parsed.complaint.empty()) std::fprintf(stderr, "krgrun: %s\n", parsed.complaint.c_str());
  const int printed = krg::cli::print(parsed.out);
  if (!parsed.job || printed != krg::cli::kDone) return std::max(printed, parsed.exit_code);
  for (const std::string& warning : parsed.warnings) {
    std::fprintf(stderr, "krgrun: %s\n", warning.c_str());
  }
  return krg::runner::run(*parsed.job, environment, [&] {
    krg::proc::set_title(argv, {krg::runner::krgd_path(parsed.job->settings), "--boot"});
    return krg::krgd::run(environment);
  });
}

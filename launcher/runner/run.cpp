#include "krg/runner/run.h"

#include <unistd.h>

#include <cstdio>

#include "krg/cli/exit.h"
#include "krg/krgrun/plan.h"
#include "krg/log/log.h"
#include "runner.h"

namespace krg::runner {
namespace {

// Places without starting anything.
int show(const krgrun::Job& job) {
  std::string complaint;
  auto nodes = krgrun::nodes_like_this_machine(job);
  if (!nodes) {
    std::fprintf(stderr, "krgrun: %s\n", nodes.error().message().c_str());
    return 1;
  }
  const auto plan = krgrun::plan(job, std::move(*nodes), complaint);
  if (!plan) {
    std::fprintf(stderr, "krgrun: %s\n", complaint.c_str());
    return 2;
  }
  return cli::print(krgrun::display(job, *plan));
}

}  // namespace

int run(const krgrun::Job& job, const config::Environment& environment, std::function<int()> krgd) {
  log::set_who("krgrun");
  if (job.dry_run) return show(job);
  std::string complaint;
  if (!prepare_output(job.out, complaint)) {
    std::fprintf(stderr, "krgrun: %s\n", complaint.c_str());
    return 2;
  }
  // Never destroyed: coroutines that still wait end with the process.
  auto* const runner = new Runner(job, environment, std::move(krgd));
  const int code = runner->run();
  std::fflush(stdout);
  _exit(code);
}

}  // namespace krg::runner

#include "elastic.h"

#include <fmt/format.h>

#include "values.h"

namespace krg::krgrun {
namespace {

constexpr std::uint32_t kMaxTasks = 1u << 20;

}  // namespace

Status read_elastic(const cli::Arguments& options, Job& job, std::string& complaint) {
  const auto bound = options.value("--elastic");
  if (!bound) return {};
  const auto refuse = [&](std::string why) {
    complaint = std::move(why);
    return Error(Errc::invalid_argument, "bad command line");
  };
  job.elastic.grows = true;
  if (!bound->empty()) {
    const auto most = number(*bound);
    if (!most || *most == 0 || *most > kMaxTasks) {
      return refuse(
          fmt::format("--elastic={}: that is no number of tasks from 1 to {}", *bound, kMaxTasks));
    }
    job.elastic.tasks_max = *most;
  }
  if (options.has("--mpi")) {
    return refuse(
        "--mpi is for MPI programs, whose number of ranks is fixed at their start: leave out "
        "--elastic or --mpi");
  }
  if (job.apps.size() > 1) {
    return refuse("--elastic grows one program: start the others by a krgrun of their own");
  }
  const std::uint32_t ranks = job.apps.front().ranks;
  if (job.elastic.tasks_max > 0 && ranks > job.elastic.tasks_max) {
    return refuse(fmt::format("-n {} is more than --elastic={} allows", ranks, *bound));
  }
  return {};
}

}  // namespace krg::krgrun

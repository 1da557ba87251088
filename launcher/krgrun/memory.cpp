#include "memory.h"

#include <fmt/format.h>

#include "capabilities.h"

namespace krg::krgrun {

Status read_memory(const cli::Arguments& options, Job& job, std::string& complaint) {
  const auto refuse = [&](std::string why) {
    complaint = std::move(why);
    return Error(Errc::invalid_argument, "bad command line");
  };
  KRG_TRY(read_capabilities(options, job, complaint));
  const auto text = options.value("--memory-budget");
  if (!text) return {};
  if (job.cluster.kind == ClusterChoice::Kind::standing) {
    return refuse("--memory-budget is for nodes that krgrun starts, and those of --cluster run");
  }
  const auto budget = settings::parse_budget(*text);
  if (!budget) {
    return refuse(fmt::format("--memory-budget {}: that is no size; write 512MiB or 8GiB", *text));
  }
  job.cluster.memory_budget = *budget;
  return {};
}

}  // namespace krg::krgrun

// krgadm stats: what the services of every node have done.
#include "commands.h"
#include "krg/cli/exit.h"
#include "krg/cli/table.h"
#include "krg/jobs/client.h"

namespace krg::krgadm {

int show_stats(const Target& target, bool json) {
  std::string complaint;
  const auto all = ask<jobs::AllStats>(target, jobs::AskStats{}, complaint);
  if (!all) {
    cli::refuse("krgadm", complaint);
    return cli::kFailed;
  }
  const auto number = [](std::uint64_t value) { return static_cast<std::int64_t>(value); };
  // A latency nobody has sampled is not zero.
  const auto latency = [&](std::uint64_t ns) {
    return ns == 0 ? cli::Cell() : cli::Cell(number(ns));
  };
  cli::Table table(
      {"node", "service", "sent", "failed", "served", "refused", "notices", "median ns", "p99 ns"});
  for (const jobs::NodeStats& node : all->nodes) {
    for (const node::ServiceCount& s : node.stats.services) {
      if (!json && s.calls_sent + s.requests_served + s.notices_sent == 0) continue;
      table.add({number(node.node.value), s.name, number(s.calls_sent), number(s.calls_failed),
                 number(s.requests_served), number(s.requests_failed), number(s.notices_sent),
                 latency(s.median_ns), latency(s.p99_ns)});
    }
  }
  return cli::print(json ? table.json() : table.text());
}

}  // namespace krg::krgadm

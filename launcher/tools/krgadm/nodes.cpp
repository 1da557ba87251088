// krgadm status and krgadm nodes: what every node says of itself.
#include <fmt/format.h>

#include "commands.h"
#include "krg/cli/exit.h"
#include "krg/cli/table.h"
#include "krg/jobs/client.h"

namespace krg::krgadm {
namespace {

std::string gib(std::uint64_t bytes) {
  return fmt::format("{:.1f}", static_cast<double>(bytes) / (1 << 30));
}

std::string duration(std::uint64_t ms) {
  const std::uint64_t seconds = ms / 1000;
  if (seconds < 60) return fmt::format("{}s", seconds);
  if (seconds < 3600) return fmt::format("{}m{:02}s", seconds / 60, seconds % 60);
  return fmt::format("{}h{:02}m", seconds / 3600, seconds / 60 % 60);
}

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

cli::Cell unless_empty(std::string_view text) {
  return text.empty() ? cli::Cell() : cli::Cell(std::string(text));
}

// Exact values for programs; null for what a node that does not answer would have said.
cli::Table machine_table(const jobs::Nodes& all) {
  cli::Table table({"node", "host", "state", "life", "pid", "up ms", "jobs", "tasks", "cpus",
                    "load", "memory bytes", "memory free bytes", "budget bytes", "shared bytes",
                    "transport", "address", "reason"});
  for (const jobs::NodeReport& n : all.nodes) {
    const auto& s = n.status;
    const auto said = [&](cli::Cell cell) { return s.pid == 0 ? cli::Cell() : std::move(cell); };
    table.add({number(n.node.value), n.host, n.state, number(n.incarnation.value),
               said(number(s.pid)), said(number(s.up_ms)), said(number(s.jobs)),
               said(number(s.tasks)), said(number(s.machine.cpus)), said(s.machine.load),
               said(number(s.machine.memory_bytes)), said(number(s.machine.memory_free_bytes)),
               said(number(s.memory_budget)), said(number(s.memory_used)),
               said(unless_empty(s.transport)), unless_empty(n.address),
               unless_empty(cluster::name_of(n.why))});
  }
  return table;
}

std::string state_of(const jobs::NodeReport& node) {
  const std::string why(cluster::name_of(node.why));
  return why.empty() ? node.state : node.state + " (" + why + ")";
}

cli::Table people_table(const jobs::Nodes& all) {
  cli::Table table({"NODE", "HOST", "STATE", "UP", "JOBS", "TASKS", "CPUS", "LOAD", "MEM GiB",
                    "FREE GiB", "BUDGET GiB", "SHARED GiB", "TRANSPORT"});
  for (const jobs::NodeReport& n : all.nodes) {
    const auto& s = n.status;
    if (n.state != "online") {
      table.add(
          {number(n.node.value), n.host, state_of(n), {}, {}, {}, {}, {}, {}, {}, {}, {}, {}});
      continue;
    }
    table.add({number(n.node.value), n.host, n.state, duration(s.up_ms), number(s.jobs),
               number(s.tasks), number(s.machine.cpus), fmt::format("{:.2f}", s.machine.load),
               gib(s.machine.memory_bytes), gib(s.machine.memory_free_bytes), gib(s.memory_budget),
               gib(s.memory_used), s.transport.empty() ? "-" : s.transport});
  }
  return table;
}

struct Totals {
  std::size_t online = 0;
  std::uint64_t tasks = 0;
  std::uint64_t jobs = 0;  // A job counts on each of its nodes, so the most of any node is told.
};

Totals totals_of(const jobs::Nodes& all) {
  Totals totals;
  for (const jobs::NodeReport& n : all.nodes) {
    if (n.state != "online") continue;
    ++totals.online;
    totals.tasks += n.status.tasks;
    totals.jobs = std::max<std::uint64_t>(totals.jobs, n.status.jobs);
  }
  return totals;
}

}  // namespace

int show_status(const Target& target, bool json) {
  std::string complaint;
  const auto all = ask<jobs::Nodes>(target, jobs::AskNodes{}, complaint);
  if (!all) {
    cli::refuse("krgadm", complaint);
    return cli::kFailed;
  }
  const Totals totals = totals_of(*all);
  if (json) {
    cli::Table head(
        {"cluster", "epoch", "coordinator", "serving", "nodes", "online", "jobs", "tasks"});
    head.add({all->cluster, number(all->epoch),
              all->coordinator == kNoNode ? cli::Cell() : number(all->coordinator.value),
              all->serving.empty(), number(all->nodes.size()), number(totals.online),
              number(totals.jobs), number(totals.tasks)});
    // One object: the head's only row, with the nodes in it.
    std::string object = head.json();
    object = object.substr(1, object.rfind('}') - 1);
    std::string nodes = machine_table(*all).json();
    while (!nodes.empty() && nodes.back() == '\n') nodes.pop_back();
    return cli::print(fmt::format("{},\"members\":{}}}\n", object, nodes));
  }
  return cli::print(fmt::format(
      "cluster {}: {} of {} nodes online, {} {}, {} {}, epoch {}\n{}", all->cluster, totals.online,
      all->nodes.size(), totals.jobs, totals.jobs == 1 ? "job" : "jobs", totals.tasks,
      totals.tasks == 1 ? "task" : "tasks", all->epoch, people_table(*all).text()));
}

int show_nodes(const Target& target, bool json) {
  std::string complaint;
  const auto all = ask<jobs::Nodes>(target, jobs::AskNodes{}, complaint);
  if (!all) {
    cli::refuse("krgadm", complaint);
    return cli::kFailed;
  }
  if (json) return cli::print(machine_table(*all).json());
  cli::Table table({"NODE", "HOST", "STATE", "LIFE", "ROLE", "UP", "PID", "CPUS", "ADDRESS"});
  for (const jobs::NodeReport& n : all->nodes) {
    const bool answered = n.status.pid != 0;
    const std::string role = n.node == all->coordinator ? "coordinator" : "";
    table.add({number(n.node.value), n.host, state_of(n), number(n.incarnation.value), role,
               answered ? cli::Cell(duration(n.status.up_ms)) : cli::Cell(),
               answered ? cli::Cell(number(n.status.pid)) : cli::Cell(),
               answered ? cli::Cell(number(n.status.machine.cpus)) : cli::Cell(),
               unless_empty(n.address)});
  }
  const std::string trouble =
      all->serving.empty() ? "" : fmt::format("the node that answers: {}\n", all->serving);
  return cli::print(trouble + table.text());
}

}  // namespace krg::krgadm

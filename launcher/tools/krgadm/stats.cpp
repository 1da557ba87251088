// krgadm stats: what every node has counted: messages by service and kind, and whatever else.
#include <map>

#include "commands.h"
#include "krg/cli/exit.h"
#include "krg/cli/table.h"
#include "krg/jobs/client.h"

namespace krg::krgadm {
namespace {

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

// The numbers of one kind of message of one service. In the registry they are
// MODULE.SERVICE.KIND.{count,failed,bytes_in,bytes_out,latency}.
struct Row {
  std::int64_t count = 0;
  std::int64_t failed = 0;
  std::int64_t bytes_in = 0;
  std::int64_t bytes_out = 0;
  const stats::Distribution* latency = nullptr;

  // False: `what` is none of those.
  bool take(std::string_view what, const stats::Item& item) {
    if (what == "latency" && item.kind == stats::Kind::histogram) {
      latency = &item.distribution;
      return true;
    }
    std::int64_t* const into = what == "count"       ? &count
                               : what == "failed"    ? &failed
                               : what == "bytes_in"  ? &bytes_in
                               : what == "bytes_out" ? &bytes_out
                                                     : nullptr;
    if (into == nullptr || item.kind == stats::Kind::histogram) return false;
    *into = item.value;
    return true;
  }
};

// A latency nobody has sampled is not zero.
cli::Cell time(const stats::Distribution* latency, double share) {
  return latency == nullptr ? cli::Cell() : cli::Cell(number(latency->quantile(share)));
}

void add(cli::Table& table, NodeId node, const std::string& name, const Row& row) {
  const std::size_t module = name.find('.');
  const std::size_t kind = name.rfind('.');
  const bool message = module != std::string::npos && kind > module;
  const auto* const latency = row.latency;
  table.add({number(node.value), name.substr(0, module),
             message ? name.substr(module + 1, kind - module - 1) : name,
             message ? name.substr(kind + 1) : "", row.count, row.failed, row.bytes_in,
             row.bytes_out, time(latency, 0.5), time(latency, 0.99),
             latency == nullptr ? cli::Cell() : cli::Cell(number(latency->max))});
}

void add(cli::Table& table, const jobs::NodeStats& node) {
  std::map<std::string, Row> rows;
  for (const stats::Item& item : node.stats.counted.items) {
    const std::size_t dot = item.name.rfind('.');
    const bool known = dot != std::string::npos &&
                       rows[item.name.substr(0, dot)].take(item.name.substr(dot + 1), item);
    if (!known) rows[item.name].count = item.value;
  }
  for (const auto& [name, row] : rows) {
    if (row.count != 0 || row.latency != nullptr) add(table, node.node, name, row);
  }
}

}  // namespace

int show_stats(const Target& target, bool json) {
  std::string complaint;
  const auto all = ask<jobs::AllStats>(target, jobs::AskStats{}, complaint);
  if (!all) {
    cli::refuse("krgadm", complaint);
    return cli::kFailed;
  }
  cli::Table table({"node", "module", "service", "kind", "count", "failed", "bytes in", "bytes out",
                    "median ns", "p99 ns", "max ns"});
  for (const jobs::NodeStats& node : all->nodes) add(table, node);
  return cli::print(json ? table.json() : table.text());
}

}  // namespace krg::krgadm

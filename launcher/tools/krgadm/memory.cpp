// krgadm mem: the regions of a cluster, and which of their pages bounce between which nodes.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "commands.h"
#include "krg/cli/exit.h"
#include "krg/cli/table.h"
#include "krg/cluster/node_set.h"
#include "krg/jobs/client.h"

namespace krg::krgadm {
namespace {

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

cli::Table regions_of(const jobs::AllMemory& all) {
  cli::Table table({"region", "node", "bytes", "read only", "tasks", "reads", "writes", "taken"});
  for (const jobs::NodeMemory& node : all.nodes) {
    for (const mm::RegionReport& region : node.report.regions) {
      table.add({region.name, number(node.node.value), number(region.bytes), region.read_only,
                 number(region.tasks), number(region.reads), number(region.writes),
                 number(region.taken)});
    }
  }
  return table;
}

// What each node has of its budget, for people.
std::string budgets_of(const jobs::AllMemory& all) {
  std::string text;
  const auto mib = [](std::uint64_t bytes) { return static_cast<double>(bytes) / (1 << 20); };
  for (const jobs::NodeMemory& node : all.nodes) {
    const mm::Report::Reply& said = node.report;
    text += fmt::format(
        "node {}: {:.1f} of {:.0f} MiB used; for want of room {} copies given up, {} moved to "
        "other nodes\n",
        node.node.value, mib(said.used), mib(said.budget), said.given_up, said.moved);
  }
  return text;
}

// A page as all nodes have counted it.
struct HotPage {
  std::string region;
  std::uint64_t page = 0;
  std::uint64_t reads = 0;
  std::uint64_t writes = 0;
  std::uint64_t taken = 0;
  cluster::NodeSet nodes;
};

std::vector<HotPage> hottest(const jobs::AllMemory& all, std::size_t most) {
  std::map<std::pair<std::string, std::uint64_t>, HotPage> pages;
  for (const jobs::NodeMemory& node : all.nodes) {
    for (const mm::RegionReport& region : node.report.regions) {
      for (const mm::PageCount& count : region.hot) {
        HotPage& page = pages[{region.name, count.page}];
        page.region = region.name;
        page.page = count.page;
        page.reads += count.reads;
        page.writes += count.writes;
        page.taken += count.taken;
        page.nodes.insert(node.node);
      }
    }
  }
  std::vector<HotPage> sorted;
  for (auto& [key, page] : pages) sorted.push_back(std::move(page));
  std::stable_sort(sorted.begin(), sorted.end(),
                   [](const HotPage& a, const HotPage& b) { return a.taken > b.taken; });
  if (sorted.size() > most) sorted.resize(most);
  return sorted;
}

cli::Table pages_of(const jobs::AllMemory& all, std::size_t most) {
  cli::Table table({"region", "page", "nodes", "taken", "reads", "writes"});
  for (const HotPage& page : hottest(all, most)) {
    table.add({page.region, number(page.page), page.nodes.format(), number(page.taken),
               number(page.reads), number(page.writes)});
  }
  return table;
}

// 0: it is no such number.
std::uint32_t number_of(std::string_view text) {
  std::uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool right = error == std::errc() && end == text.data() + text.size();
  return right && value <= mm::Report::kMost / 4 ? value : 0;
}

}  // namespace

int show_memory(const cli::Arguments& args, const Target& target) {
  const bool hot = args.has("--hot");
  const auto top = args.value("--top");
  if (top && !hot) return cli::refuse("krgadm", "mem: --top is of --hot");
  const std::uint32_t most = number_of(top.value_or("20"));
  if (most == 0) {
    return cli::refuse("krgadm", "mem: --top " + std::string(*top) + ": say 1 to 2500");
  }
  std::string complaint;
  // A page that is hot in the end may be further down in what each node says.
  const jobs::AskMemory question{{hot ? most * 4 : 0}};
  const auto all = ask<jobs::AllMemory>(target, question, complaint);
  if (!all) {
    cli::refuse("krgadm", complaint);
    return cli::kFailed;
  }
  const cli::Table table = hot ? pages_of(*all, most) : regions_of(*all);
  if (args.has("--json")) return cli::print(table.json());
  return cli::print((hot ? std::string() : budgets_of(*all)) + table.text());
}

}  // namespace krg::krgadm

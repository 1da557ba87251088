// krgps: list the tasks of a cluster's jobs, with all that they have started, on all nodes.
#include <fmt/format.h>

#include <array>
#include <string>
#include <vector>

#include "../krgadm/ask.h"
#include "krg/cli/command.h"
#include "krg/cli/exit.h"
#include "krg/cli/parse.h"
#include "krg/cli/table.h"
#include "krg/jobs/tasks.h"

namespace krg::krgps {
namespace {

using cli::Command;
using cli::Option;

constexpr std::array kOptions = {
    Option{"--cluster", "NAME", "Ask the cluster of that name; without it the only one", "Options"},
    Option{"--json", "", "Print JSON for programs", "Options"},
};
constexpr Command kKrgps{"krgps",
                         "List the tasks of a cluster's jobs on all nodes",
                         "[OPTION...]",
                         kOptions,
                         {},
                         false,
                         "Exit codes: 0 done, 1 failed, 2 bad usage. See krgps(1).\n"};

std::int64_t number(std::uint64_t value) { return static_cast<std::int64_t>(value); }

// "12K", "3.4M", "1.2G"
std::string size_text(std::uint64_t bytes) {
  const double kib = static_cast<double>(bytes) / 1024;
  if (kib < 1024) return fmt::format("{:.0f}K", kib);
  if (kib < 1024 * 1024) return fmt::format("{:.1f}M", kib / 1024);
  return fmt::format("{:.1f}G", kib / 1024 / 1024);
}

// "0:00:12.34"
std::string time_text(std::uint64_t ms) {
  return fmt::format("{}:{:02}:{:02}.{:02}", ms / 3'600'000, ms / 60'000 % 60, ms / 1000 % 60,
                     ms / 10 % 100);
}

std::string user_of(const tasks::TaskInfo& task) {
  return task.user_name.empty() ? std::to_string(task.user) : task.user_name;
}

std::string text_of(const jobs::AllTasks& all) {
  cli::Table table({"task", "parent", "state", "user", "memory", "time", "command"});
  for (const jobs::AllTasks::Node& node : all.nodes) {
    for (const tasks::TaskInfo& task : node.tasks) {
      table.add({jobs::to_text({node.node, task.pid}), std::int64_t{task.parent},
                 std::string(1, static_cast<char>(task.state)), user_of(task),
                 size_text(task.resident_bytes), time_text(task.cpu_ms), task.command});
    }
  }
  return table.text();
}

std::string json_of(const jobs::AllTasks& all) {
  cli::Table table({"task", "node", "pid", "ppid", "state", "user", "uid", "threads",
                    "memory_bytes", "time_ms", "cmd"});
  for (const jobs::AllTasks::Node& node : all.nodes) {
    for (const tasks::TaskInfo& task : node.tasks) {
      table.add({jobs::to_text({node.node, task.pid}), number(node.node.value),
                 std::int64_t{task.pid}, std::int64_t{task.parent},
                 std::string(1, static_cast<char>(task.state)), user_of(task), number(task.user),
                 number(task.threads), number(task.resident_bytes), number(task.cpu_ms),
                 task.command});
    }
  }
  return table.json();
}

int main(std::span<const std::string_view> words) {
  std::string complaint;
  const auto args = cli::parse(kKrgps, words, complaint);
  if (!args) return cli::refuse("krgps", complaint);
  if (const auto answer = args->answer(kKrgps)) return cli::print(*answer);
  if (!args->rest.empty()) {
    return cli::refuse("krgps", "what is '" + args->rest.front() + "'? see krgps --help");
  }
  const krgadm::Target target = krgadm::target_of(*args);
  const auto all = krgadm::ask<jobs::AllTasks>(target, jobs::AskTasks{}, complaint);
  if (!all) {
    cli::refuse("krgps", complaint);
    return cli::kFailed;
  }
  int code = cli::print(args->has("--json") ? json_of(*all) : text_of(*all));
  for (const jobs::AllTasks::Node& node : all->nodes) {
    if (node.why.empty()) continue;
    cli::refuse("krgps", fmt::format("node {} is not shown: {}", node.node.value, node.why));
    code = cli::kFailed;
  }
  return code;
}

}  // namespace
}  // namespace krg::krgps

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  return krg::krgps::main(words);
}

// krgmigrate: move a running task to another node.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <string>
#include <string_view>

#include "../krgadm/ask.h"
#include "krg/cli/command.h"
#include "krg/cli/exit.h"
#include "krg/cli/parse.h"
#include "krg/cli/table.h"
#include "krg/jobs/tasks.h"
#include "krg/moves/client.h"

namespace krg::krgmigrate {
namespace {

using cli::Option;

constexpr std::array kOptions = {
    Option{"--check", "", "Only say what of the process can not be moved", "Options"},
    Option{"--eager", "", "Move all memory before the process goes on", "Options"},
    Option{"--cluster", "NAME", "Talk to the cluster of that name; without it to the only one",
           "Options"},
    Option{"--json", "", "Print JSON for programs", "Options"},
};
constexpr cli::Command kCommand = {
    "krgmigrate",
    "Move a running process to another node of its cluster",
    "[OPTION...] [HOME:]PID NODE | --check [HOME:]PID",
    kOptions,
    {},
    false,
    "PID is what the process was started as, HOME the node that it was started on.\n"};
constexpr std::chrono::seconds kPatience{90};

template <class T>
bool read_number(std::string_view text, T& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

// "PID" or "HOME:PID".
bool read_process(std::string_view text, moves::AskMove& ask) {
  const auto name = jobs::parse_task(text);
  if (!name) return false;
  ask.home = name->node;
  ask.pid = name->pid;
  return true;
}

int show_json(const moves::Moved& moved) {
  cli::Table table({"problem"});
  for (const std::string& problem : moved.problems) table.add({problem});
  (void)cli::print(table.json());
  return moved.complaint.empty() && moved.problems.empty() ? cli::kDone : cli::kFailed;
}

int show(const moves::Moved& moved, const moves::AskMove& ask) {
  if (!moved.complaint.empty()) cli::refuse("krgmigrate", moved.complaint);
  std::string text;
  for (const std::string& problem : moved.problems) text += problem + "\n";
  if (ask.only_check && moved.complaint.empty() && moved.problems.empty()) {
    text = fmt::format("process {} can be moved; it is on node {}\n", ask.pid, moved.node.value);
  } else if (moved.complaint.empty() && !ask.only_check) {
    text = fmt::format("process {} is on node {}; it stood still for {:.1f} ms\n", ask.pid,
                       moved.node.value, moved.stopped_us / 1000.0);
  }
  if (!text.empty() && cli::print(text) != cli::kDone) return cli::kFailed;
  return moved.complaint.empty() && moved.problems.empty() ? cli::kDone : cli::kFailed;
}

int run(const cli::Arguments& args) {
  moves::AskMove ask;
  ask.only_check = args.has("--check");
  ask.eager = args.has("--eager");
  const std::size_t words = ask.only_check ? 1 : 2;
  if (args.rest.size() != words || !read_process(args.rest[0], ask) ||
      (!ask.only_check && !read_number(std::string_view(args.rest[1]), ask.to.value))) {
    return cli::refuse("krgmigrate", ask.only_check ? "say --check and the process's number"
                                                    : "say the process's number and the node's");
  }
  std::string complaint;
  const auto moved = krgadm::ask<moves::Moved>(krgadm::target_of(args), ask, complaint, kPatience);
  if (!moved) {
    cli::refuse("krgmigrate", complaint);
    return cli::kFailed;
  }
  return args.has("--json") ? show_json(*moved) : show(*moved, ask);
}

int main(std::span<const std::string_view> words) {
  std::string complaint;
  const auto args = cli::parse(kCommand, words, complaint);
  if (!args) return cli::refuse("krgmigrate", complaint);
  if (const auto answer = args->answer(kCommand)) return cli::print(*answer);
  return run(*args);
}

}  // namespace
}  // namespace krg::krgmigrate

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  return krg::krgmigrate::main(words);
}

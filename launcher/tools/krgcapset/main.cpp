// krgcapset: look at the capabilities of a task, or set them, or start a command with some.
#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "../krgadm/ask.h"
#include "krg/capability/capability.h"
#include "krg/cli/command.h"
#include "krg/cli/exit.h"
#include "krg/cli/parse.h"
#include "krg/config/environment.h"
#include "krg/jobs/tasks.h"
#include "krg/settings/given.h"
#include "krg/settings/settings.h"

namespace krg::krgcapset {
namespace {

using capability::Capability;
using capability::Set;
using capability::Sets;
using cli::Command;
using cli::Option;

constexpr std::array kOptions = {
    Option{"-s,--show", "", "Show the capabilities, after they were set if any are given",
           "Options"},
    Option{"-k,--pid", "TASK", "Of this task: NODE:PID, or PID (default: what called krgcapset)",
           "Options"},
    Option{"-p,--permitted", "LIST", "Set the permitted ones: none can be added", "Options"},
    Option{"-e,--effective", "LIST", "Set those that hold", "Options"},
    Option{"-i,--inheritable-permitted", "LIST", "Set the permitted ones of its children",
           "Options"},
    Option{"-d,--inheritable-effective", "LIST", "Set those that hold for its children", "Options"},
    Option{"-f,--force", "", "Set also what can not be undone: no change is allowed afterwards",
           "Options"},
    Option{"--cluster", "NAME", "Of the cluster of that name; without it of the only one",
           "Options"},
    Option{"--json", "", "--show: print JSON for programs", "Options"},
    Option{"-v", "", "As --version", "Options"},
};
constexpr Command kKrgcapset{
    "krgcapset",
    "Look at the capabilities of a task, or set them",
    "[OPTION...] [COMMAND [ARGUMENT...]]",
    kOptions,
    {},
    true,
    "A LIST is an octal mask, or names between commas: NAME or +NAME adds one, -NAME takes one "
    "out.\n"
    "With a COMMAND, its capabilities are set and it is run.\n"
    "Exit codes: 0 done, 1 failed, 2 bad usage, 126 or 127 no such command. See krgcapset(1).\n"};

struct Which {
  std::string_view option, key, title;
  Set Sets::*set;
};
constexpr std::array kSets = {
    Which{"--permitted", "permitted", "Permitted", &Sets::permitted},
    Which{"--effective", "effective", "Effective", &Sets::effective},
    Which{"--inheritable-permitted", "inheritable_permitted", "Inheritable permitted",
          &Sets::inheritable_permitted},
    Which{"--inheritable-effective", "inheritable_effective", "Inheritable effective",
          &Sets::inheritable_effective},
};

int fail(const std::string& complaint) {
  cli::refuse("krgcapset", complaint);
  return cli::kFailed;
}

std::string text_of(const Sets& sets) {
  std::string out;
  for (const Which& one : kSets) {
    out +=
        fmt::format("{:<22} {:>6}  {}\n", std::string(one.title) + ":",
                    fmt::format("0{:o}", (sets.*one.set).bits), capability::to_text(sets.*one.set));
  }
  return out;
}

std::string json_of(const jobs::TaskName& task, const Sets& sets) {
  nlohmann::ordered_json out;
  out["task"] = jobs::to_text(task);
  for (const Which& one : kSets) {
    auto& names = out[std::string(one.key)] = nlohmann::ordered_json::array();
    for (std::size_t i = 0; i < capability::kCapabilities; ++i) {
      const auto each = static_cast<Capability>(i);
      if ((sets.*one.set).has(each)) names.push_back(std::string(capability::name_of(each)));
    }
  }
  return out.dump() + "\n";
}

bool sets_any(const cli::Arguments& args) {
  for (const Which& one : kSets) {
    if (args.has(one.option)) return true;
  }
  return false;
}

// The node of the job's task that this process is; nothing outside of a job.
std::optional<NodeId> own_node(const config::Environment& environment) {
  const auto text = environment.get(settings::kNode);
  NodeId node;
  if (!text || std::from_chars(text->data(), text->data() + text->size(), node.value).ptr !=
                   text->data() + text->size()) {
    return std::nullopt;
  }
  return node;
}

// Whose they are: --pid's, the command's that this process becomes, or its caller's.
std::optional<jobs::TaskName> task_of(const cli::Arguments& args,
                                      const config::Environment& environment,
                                      std::string& complaint) {
  if (const auto given = args.value("--pid")) {
    const auto name = jobs::parse_task(*given);
    if (!name) {
      complaint = fmt::format("--pid {}: that is no task; write NODE:PID or PID", *given);
    } else if (!args.rest.empty()) {
      complaint = "--pid is for a task that runs, and a command is to be run: say one of them";
    } else {
      return name;
    }
    return std::nullopt;
  }
  const auto node = own_node(environment);
  if (!node) {
    complaint = "this is no task of a job: name one with --pid, or call it within krgrun";
    return std::nullopt;
  }
  return jobs::TaskName{*node, args.rest.empty() ? ::getppid() : ::getpid()};
}

// What `old` becomes by the options.
std::optional<Sets> wanted_of(const cli::Arguments& args, const Sets& old, std::string& complaint) {
  Sets wanted = old;
  for (const Which& one : kSets) {
    const auto list = args.value(one.option);
    if (!list) continue;
    const auto set = capability::parse(*list, old.*one.set, complaint);
    if (!set) return std::nullopt;
    wanted.*one.set = *set;
  }
  constexpr Capability kKey = Capability::change_kerrighed_cap;
  const bool last =
      (old.effective.has(kKey) && !wanted.effective.has(kKey)) ||
      (old.inheritable_effective.has(kKey) && !wanted.inheritable_effective.has(kKey));
  if (last && !args.has("--force")) {
    complaint = "without CHANGE_KERRIGHED_CAP nothing can be changed afterwards: say --force";
    return std::nullopt;
  }
  return wanted;
}

// Only returns if it can not be run.
int run_command(const std::vector<std::string>& words) {
  std::vector<char*> argv;
  for (const std::string& word : words) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  ::execvp(argv[0], argv.data());
  const int code = errno == ENOENT ? 127 : 126;
  cli::refuse("krgcapset", words.front() + ": " + std::strerror(errno));
  return code;
}

int run(const cli::Arguments& args) {
  const config::Environment environment = config::Environment::of_process();
  const krgadm::Target target =
      krgadm::target_of(args, environment, settings::read(config::Sources::of_process()));
  std::string complaint;
  const auto task = task_of(args, environment, complaint);
  if (!task) return cli::refuse("krgcapset", complaint);
  jobs::AskCapabilities question{*task, {}};
  auto now = krgadm::ask<jobs::TheCapabilities>(target, question, complaint);
  if (!now) return fail(complaint);
  if (!now->why.empty()) return fail(jobs::to_text(*task) + ": " + now->why);
  if (sets_any(args)) {
    question.task = now->task;
    question.wanted = wanted_of(args, now->sets, complaint);
    if (!question.wanted) return cli::refuse("krgcapset", complaint);
    if (const Status sound = capability::check(*question.wanted); !sound) {
      return fail(sound.error().what());
    }
    now = krgadm::ask<jobs::TheCapabilities>(target, question, complaint);
    if (!now) return fail(complaint);
    if (!now->why.empty()) return fail(jobs::to_text(*task) + ": " + now->why);
  }
  if (args.has("--show") || (!sets_any(args) && args.rest.empty())) {
    const bool json = args.has("--json");
    const int printed = cli::print(json ? json_of(now->task, now->sets) : text_of(now->sets));
    if (printed != cli::kDone) return printed;
  }
  return args.rest.empty() ? cli::kDone : run_command(args.rest);
}

int main(std::span<const std::string_view> words) {
  std::string complaint;
  auto args = cli::parse(kKrgcapset, words, complaint);
  if (args && args->has("-v")) {
    constexpr std::array<std::string_view, 1> kVersion{"--version"};
    args = cli::parse(kKrgcapset, kVersion, complaint);
  }
  if (!args) return cli::refuse("krgcapset", complaint);
  if (const auto answer = args->answer(kKrgcapset)) return cli::print(*answer);
  return run(*args);
}

}  // namespace
}  // namespace krg::krgcapset

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  return krg::krgcapset::main(words);
}

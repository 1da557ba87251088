// krgadm: look at a cluster and look after it.
#include <array>
#include <string>
#include <vector>

#include "commands.h"
#include "krg/cli/command.h"
#include "krg/cli/exit.h"
#include "krg/cli/parse.h"

namespace krg::krgadm {
namespace {

using cli::Command;
using cli::Option;

constexpr std::array kOptions = {
    Option{"--cluster", "NAME", "Talk to the cluster of that name; without it to the only one",
           "Options"},
    Option{"--json", "", "Print JSON for programs", "Options"},
};
constexpr std::array kClusterOptions = {
    Option{"--cluster", "NAME", "The cluster's name, if it does not follow the command", "Options"},
    Option{"--json", "", "Print JSON for programs", "Options"},
    Option{"--nodes", "N", "start: that many nodes inside this machine (default: 1)", "Options"},
    Option{"-H,--host", "LIST", "start: one node on each of these hosts: a,b,n[1-4]", "Options"},
    Option{"-f,--hostfile", "FILE", "start: one node on each host of FILE", "Options", "@file"},
    Option{"--launch-agent", "CMD", "start: reach hosts by 'CMD host command...' (default: ssh)",
           "Options"},
    Option{"--memory-budget", "SIZE",
           "start: what each node may use for shared memory: 512MiB, 8GiB (default: 80 % of it)",
           "Options"},
    Option{"--no-failover", "", "start: of two nodes, either stops without the other", "Options"},
};
constexpr std::array kNodesOptions = {
    Option{"--cluster", "NAME", "Talk to the cluster of that name; without it to the only one",
           "Options"},
    Option{"--json", "", "Print JSON for programs", "Options"},
    Option{"--timeout", "TIME", "wait, del: give up after this time: 90, 90s, 5m (default: 100s)",
           "Options"},
};
constexpr std::array kMemoryOptions = {
    Option{"--cluster", "NAME", "Talk to the cluster of that name; without it to the only one",
           "Options"},
    Option{"--hot", "", "Show the pages that are taken most often, and between whom", "Options"},
    Option{"--top", "N", "--hot: that many pages (default: 20)", "Options"},
    Option{"--json", "", "Print JSON for programs", "Options"},
};
constexpr std::array kLocksOptions = {
    Option{"--cluster", "NAME", "Talk to the cluster of that name; without it to the only one",
           "Options"},
    Option{"--cycles", "", "Show who waits for each other in a circle, for ever; ends with 1 if so",
           "Options"},
    Option{"--json", "", "Print JSON for programs", "Options"},
};
constexpr std::array kConfigOptions = {
    Option{"--json", "", "Print JSON for programs", "Options"},
};
constexpr std::array kCommands = {
    Command{"status", "Show the cluster and its nodes", "[OPTION...]", kOptions},
    Command{"nodes",
            "List the nodes and their daemons; wait for, add or remove some",
            "[status] | wait N | add HOST... | del NODE",
            kNodesOptions,
            {},
            false,
            {},
            "status wait add del"},
    Command{"events", "Tell what becomes of the nodes, until interrupted", "[OPTION...]", kOptions},
    Command{"stats", "Show what the services of each node have done", "[OPTION...]", kOptions},
    Command{"mem", "Show the regions of memory and the traffic of their pages", "[OPTION...]",
            kMemoryOptions},
    Command{"locks", "Show the locks that tasks hold and wait for, and deadlocks", "[OPTION...]",
            kLocksOptions},
    Command{"config", "Show every setting, its value and its origin", "[OPTION...]",
            kConfigOptions},
    Command{"check", "Tell what this machine allows krg to do, and what to do about the rest",
            "[OPTION...]", kConfigOptions},
    Command{"cluster",
            "List the clusters of this user here; start one that stays, or end one",
            "list | start [OPTION...] [NAME] | stop [NAME]",
            kClusterOptions,
            {},
            false,
            {},
            "list start stop"},
};
constexpr Command kKrgadm{"krgadm",
                          "Look at a cluster and look after it",
                          "COMMAND [OPTION...]",
                          {},
                          kCommands,
                          false,
                          "Exit codes: 0 done, 1 failed, 2 bad usage. See krgadm(1).\n"};

int cluster_command(const cli::Arguments& args, Target target, const settings::Settings& settings,
                    const config::Environment& environment) {
  const std::string word = args.rest.empty() ? "" : args.rest.front();
  if (args.rest.size() == 1 && word == "list") return list_clusters(target, args.has("--json"));
  if (args.rest.size() == 2) target.cluster = args.rest[1];
  if (word == "start" && args.rest.size() <= 2) {
    return start_cluster(args, target, settings, environment);
  }
  if (word == "stop" && args.rest.size() <= 2) return stop_cluster(target);
  return cli::refuse("krgadm",
                     "cluster: say 'list', 'start [NAME]' or 'stop [NAME]'; "
                     "see krgadm cluster --help");
}

int run(const cli::Arguments& args, const config::Environment& environment) {
  const std::string_view name = args.command->name;
  const bool json = args.has("--json");
  if (name != "cluster" && name != "nodes" && !args.rest.empty()) {
    return cli::refuse("krgadm", std::string(name) + ": what is '" + args.rest.front() +
                                     "'? see krgadm " + std::string(name) + " --help");
  }
  if (name == "config") return show_config(environment, json);
  if (name == "check") return check_machine(json);
  const settings::Settings settings = settings::read(config::Sources::of_process());
  const Target target = target_of(args, environment, settings);
  if (name == "status") return show_status(target, json);
  if (name == "nodes") return nodes_command(args, target, settings, environment);
  if (name == "events") return show_events(target, json);
  if (name == "stats") return show_stats(target, json);
  if (name == "mem") return show_memory(args, target);
  if (name == "locks") return show_locks(args, target);
  return cluster_command(args, target, settings, environment);
}

int main(std::span<const std::string_view> words) {
  std::string complaint;
  const auto args = cli::parse(kKrgadm, words, complaint);
  if (!args) return cli::refuse("krgadm", complaint);
  if (const auto answer = args->answer(kKrgadm)) return cli::print(*answer);
  return run(*args, config::Environment::of_process());
}

}  // namespace
}  // namespace krg::krgadm

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  return krg::krgadm::main(words);
}

// krg_sim: runs simulated clusters that share objects through crashes, partitions and delays, and
// judges what their clients have seen.
#include <fmt/format.h>
#include <malloc.h>

#include <array>
#include <charconv>
#include <optional>
#include <string>
#include <vector>

#include "krg/cli/command.h"
#include "krg/cli/exit.h"
#include "krg/cli/parse.h"
#include "krg/log/log.h"
#include "mutants.h"
#include "seed_runs.h"

namespace krg::kddm_sim {
namespace {

using kddm::Mutant;

constexpr std::array kOptions = {
    cli::Option{"--seeds", "A-B",
                "The seeds to run: one, or the first and the last (default: 1-100)", "Options"},
    cli::Option{"--nodes", "N", "Nodes of each cluster, 3 to 9 (default: 3 to 5, by the seed)",
                "Options"},
    cli::Option{"--faults", "LIST",
                "all (the default), none, or some of crash,partition,pause,slow,leave", "Options",
                "all none crash partition pause slow leave"},
    cli::Option{
        "--views", "WHO",
        "Who decides which nodes are in: hotplug (the default), as in a real cluster, or an "
        "oracle, which is faster",
        "Options", "hotplug oracle"},
    cli::Option{"--room", "KIB",
                "What the copies of a node may take, so that they go to others (default: all)",
                "Options"},
    cli::Option{"--mutant", "NAME", "Put this bug into the protocol: a run must find it",
                "Options"},
    cli::Option{"--list-mutants", "", "Show the bugs that --mutant knows", "Options"},
    cli::Option{"--jobs", "N", "Processes that run seeds at a time, 1 to 256 (default: 1)",
                "Options"},
    cli::Option{"--keep-going", "", "Run all seeds, also after one was wrong", "Options"},
    cli::Option{"--json", "",
                "Print JSON for programs: an object per seed that was wrong, and a sum", "Options"},
    cli::Option{"-q,--quiet", "", "Show no progress", "Options"},
};
constexpr cli::Command kKrgSim{
    "krg_sim",
    "Look for wrong in shared objects, by simulation",
    "[OPTION...]",
    kOptions,
    {},
    false,
    "Exit codes: 0 nothing wrong, 1 something wrong (its seed is shown), 2 bad usage. See "
    "krg_sim(1).\n"};

std::optional<std::uint64_t> number(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (bad != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

bool read_seeds(std::string_view text, Plan& plan) {
  const std::size_t dash = text.find('-');
  const auto first = number(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number(text.substr(dash + 1));
  if (!first || !last || *last < *first) return false;
  plan.first = *first;
  plan.last = *last;
  return true;
}

bool read_faults(std::string_view text, Plan& plan) {
  plan.scenario.faults = 0;
  for (;;) {
    const std::size_t comma = text.find(',');
    const std::string_view word = text.substr(0, comma);
    const auto known = std::find_if(kFaultNames.begin(), kFaultNames.end(),
                                    [&](const FaultName& fault) { return fault.name == word; });
    if (known == kFaultNames.end()) return false;
    plan.scenario.faults |= known->faults;
    if (comma == std::string_view::npos) return true;
    text.remove_prefix(comma + 1);
  }
}

bool read_mutant(std::string_view text, Plan& plan) {
  for (unsigned i = 1; i < static_cast<unsigned>(Mutant::count); ++i) {
    if (text != kddm::kMutantNames[i]) continue;
    plan.mutant = static_cast<Mutant>(i);
    return true;
  }
  return false;
}

// What is wrong with the command line, or nothing.
std::string read_plan(const cli::Arguments& args, Plan& plan) {
  if (!args.rest.empty()) return fmt::format("what is '{}'? See krg_sim --help", args.rest.front());
  if (const auto text = args.value("--seeds"); text && !read_seeds(*text, plan)) {
    return fmt::format("--seeds {}: want a number, or two: 1-1000", *text);
  }
  if (const auto text = args.value("--nodes")) {
    const auto nodes = number(*text);
    if (!nodes || *nodes < 3 || *nodes > 9) return fmt::format("--nodes {}: want 3 to 9", *text);
    plan.scenario.nodes = static_cast<std::uint32_t>(*nodes);
  }
  if (const auto text = args.value("--faults"); text && !read_faults(*text, plan)) {
    return fmt::format("--faults {}: want all, none, or some of crash,partition,pause,slow,leave",
                       *text);
  }
  if (const auto text = args.value("--views")) {
    if (*text != "hotplug" && *text != "oracle") {
      return fmt::format("--views {}: want hotplug or oracle", *text);
    }
    plan.scenario.views = *text == "oracle" ? Views::oracle : Views::hotplug;
  }
  if (const auto text = args.value("--room")) {
    const auto kib = number(*text);
    if (!kib || *kib < 4 || *kib > 1024) return fmt::format("--room {}: want 4 to 1024", *text);
    plan.scenario.room = *kib << 10;
  }
  if (const auto text = args.value("--mutant"); text && !read_mutant(*text, plan)) {
    return fmt::format("--mutant {}: no such bug; see krg_sim --list-mutants", *text);
  }
  if (const auto text = args.value("--jobs")) {
    const auto jobs = number(*text);
    if (!jobs || *jobs < 1 || *jobs > 256) return fmt::format("--jobs {}: want 1 to 256", *text);
    plan.jobs = static_cast<unsigned>(*jobs);
  }
  plan.keep_going = args.has("--keep-going");
  plan.json = args.has("--json");
  plan.progress = !args.has("--quiet");
  return {};
}

int main(std::span<const std::string_view> words) {
  std::string complaint;
  const auto args = cli::parse(kKrgSim, words, complaint);
  if (!args) return cli::refuse("krg_sim", complaint);
  if (const auto answer = args->answer(kKrgSim)) return cli::print(*answer);
  if (args->has("--list-mutants")) {
    std::string list;
    for (unsigned i = 1; i < static_cast<unsigned>(Mutant::count); ++i) {
      list += std::string(kddm::kMutantNames[i]) + "\n";
    }
    return cli::print(list);
  }
  Plan plan;
  if (const std::string wrong = read_plan(*args, plan); !wrong.empty()) {
    return cli::refuse("krg_sim", wrong);
  }
  // Each seed gives back all that it took, and the next takes as much.
  mallopt(M_MMAP_THRESHOLD, 256 << 20);
  mallopt(M_TRIM_THRESHOLD, 512 << 20);
  // Nodes that fail are what is wanted here.
  log::set_level(log::Level::off);
  return run_seeds(plan);
}

}  // namespace
}  // namespace krg::kddm_sim

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  return krg::kddm_sim::main(words);
}

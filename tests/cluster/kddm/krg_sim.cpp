// krg_sim: runs simulated clusters that share objects through crashes, partitions and delays, and
// judges what their clients have seen.
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <chrono>
#include <optional>
#include <string>
#include <vector>

#include "krg/cli/command.h"
#include "krg/cli/exit.h"
#include "krg/cli/parse.h"
#include "krg/cli/table.h"
#include "krg/log/log.h"
#include "mutants.h"
#include "scenario.h"

namespace krg::kddm_sim {
namespace {

using kddm::Mutant;
using Clock = std::chrono::steady_clock;

constexpr std::array kOptions = {
    cli::Option{"--seeds", "A-B",
                "The seeds to run: one, or the first and the last (default: 1-100)", "Options"},
    cli::Option{"--nodes", "N", "Nodes of each cluster, 3 to 9 (default: 3 to 5, by the seed)",
                "Options"},
    cli::Option{"--faults", "LIST",
                "all (the default), none, or some of crash,partition,pause,slow", "Options",
                "all none crash partition pause slow"},
    cli::Option{"--mutant", "NAME", "Put this bug into the protocol: a run must find it",
                "Options"},
    cli::Option{"--list-mutants", "", "Show the bugs that --mutant knows", "Options"},
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

struct Plan {
  std::uint64_t first = 1, last = 100;
  Scenario scenario;
  Mutant mutant = Mutant::none;
  bool keep_going = false;
  bool json = false;
  bool progress = true;
};

struct Sum {
  std::uint64_t seeds = 0, wrong = 0, operations = 0, done = 0, failures = 0, undecided = 0,
                trace = 0;
};

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

struct FaultName {
  std::string_view name;
  unsigned faults;
};
constexpr std::array kFaultNames = {
    FaultName{"crash", kCrash}, FaultName{"partition", kPartition}, FaultName{"pause", kPause},
    FaultName{"slow", kSlow},   FaultName{"all", kAllFaults},       FaultName{"none", 0}};

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
    return fmt::format("--faults {}: want all, none, or some of crash,partition,pause,slow", *text);
  }
  if (const auto text = args.value("--mutant"); text && !read_mutant(*text, plan)) {
    return fmt::format("--mutant {}: no such bug; see krg_sim --list-mutants", *text);
  }
  plan.keep_going = args.has("--keep-going");
  plan.json = args.has("--json");
  plan.progress = !args.has("--quiet");
  return {};
}

std::string replay(const Plan& plan, std::uint64_t seed) {
  std::string line = fmt::format("krg_sim --seeds {}", seed);
  if (plan.scenario.nodes != 0) line += fmt::format(" --nodes {}", plan.scenario.nodes);
  if (plan.scenario.faults != kAllFaults) {
    std::string list;
    for (const FaultName& fault : kFaultNames) {
      const bool one = (fault.faults & (fault.faults - 1)) == 0 && fault.faults != 0;
      if (!one || (plan.scenario.faults & fault.faults) == 0) continue;
      list += std::string(list.empty() ? "" : ",") + std::string(fault.name);
    }
    line += " --faults " + (list.empty() ? std::string("none") : list);
  }
  if (plan.mutant != Mutant::none) {
    line += fmt::format(" --mutant {}", kddm::kMutantNames[static_cast<unsigned>(plan.mutant)]);
  }
  return line;
}

void show_wrong(const Plan& plan, std::uint64_t seed, const Report& report) {
  if (plan.json) {
    cli::Table table({"Seed", "Violation", "Trace", "Replay"});
    table.add({static_cast<std::int64_t>(seed), report.violation,
               fmt::format("{:016x}", report.trace), replay(plan, seed)});
    fmt::print("{}\n", table.json());
  } else {
    fmt::print("seed {}: {}\n  trace {:016x}; replay: {}\n", seed, report.violation, report.trace,
               replay(plan, seed));
  }
  std::fflush(stdout);
}

void show_sum(const Plan& plan, const Sum& sum, double took) {
  if (plan.json) {
    cli::Table table(
        {"Seeds", "Wrong", "Operations", "Done", "Failures", "Undecided", "Trace", "Seconds"});
    auto count = [](std::uint64_t n) { return static_cast<std::int64_t>(n); };
    table.add({count(sum.seeds), count(sum.wrong), count(sum.operations), count(sum.done),
               count(sum.failures), count(sum.undecided), fmt::format("{:016x}", sum.trace), took});
    fmt::print("{}\n", table.json());
    return;
  }
  fmt::print(
      "{} seeds, {} wrong, {} operations ({} ended well), {} failed lives, {} objects undecided, "
      "trace {:016x}, {:.1f} s\n",
      sum.seeds, sum.wrong, sum.operations, sum.done, sum.failures, sum.undecided, sum.trace, took);
}

int run_all(const Plan& plan) {
  constexpr double kProgressEvery = 5;
  kddm::Seeded::active = plan.mutant;
  const auto begun = Clock::now();
  auto passed = [&] { return std::chrono::duration<double>(Clock::now() - begun).count(); };
  double next = kProgressEvery;
  Sum sum;
  for (std::uint64_t seed = plan.first;; ++seed) {
    Scenario scenario = plan.scenario;
    scenario.seed = seed;
    const Report report = run(scenario);
    ++sum.seeds;
    sum.operations += report.operations;
    sum.done += report.done;
    sum.failures += report.failures;
    sum.undecided += report.undecided;
    sum.trace = sum.trace * 31 + report.trace;
    if (!report.violation.empty()) {
      ++sum.wrong;
      show_wrong(plan, seed, report);
    }
    if (seed == plan.last || (sum.wrong > 0 && !plan.keep_going)) break;
    if (plan.progress && passed() > next) {
      next = passed() + kProgressEvery;
      fmt::print(stderr, "{} of {} seeds, {} wrong, {:.0f} s\n", sum.seeds,
                 plan.last - plan.first + 1, sum.wrong, passed());
    }
  }
  show_sum(plan, sum, passed());
  return sum.wrong == 0 ? cli::kDone : cli::kFailed;
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
  // Nodes that fail are what is wanted here.
  log::set_level(log::Level::off);
  return run_all(plan);
}

}  // namespace
}  // namespace krg::kddm_sim

int main(int argc, char** argv) {
  const std::vector<std::string_view> words(argv + 1, argv + argc);
  return krg::kddm_sim::main(words);
}

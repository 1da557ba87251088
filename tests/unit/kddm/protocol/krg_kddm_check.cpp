// krg_kddm_check: goes through every state of a small cluster that uses the coherence protocol.
//
//   krg_kddm_check [--nodes N] [--objects M] [--tasks T] [--ops K] [--total K] [--copies C]
//                  [--failures F] [--joins J] [--leaves L] [--first N] [--allow get,grab,...]
//                  [--touch-at-home] [--fills-fail] [--data-late]
//                  [--mutant NAME] [--states MAX] [--seconds MAX] [--cycles] [--unused]
//   krg_kddm_check --table | --list-mutants
//
// Exit code 0: all states are right. 1: a violation, with the shortest way to it. 2: usage.
// 3: a limit was reached before all states were seen.
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <map>
#include <string>

#include "explore.h"
#include "print_table.h"

namespace krg::kddm::check {
namespace {

struct Options {
  Config config;
  Limits limits;
  bool cycles = false;
  bool unused = false;
};

bool parse_allowed(const char* text, std::uint32_t& allowed) {
  allowed = 0;
  std::string rest = text;
  while (!rest.empty()) {
    const std::size_t comma = rest.find(',');
    const std::string name = rest.substr(0, comma);
    rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
    bool known = false;
    for (unsigned op = 0; op < std::size(kOps); ++op) {
      if (name != kOps[op].name) continue;
      allowed |= 1u << op;
      known = true;
    }
    if (!known) return false;
  }
  return allowed != 0;
}

bool parse_mutant(const char* text, Mutant& mutant) {
  for (unsigned m = 0; m < static_cast<unsigned>(Mutant::count); ++m) {
    mutant = static_cast<Mutant>(m);
    if (std::strcmp(text, name_of(mutant)) == 0) return true;
  }
  return false;
}

bool parse(int argc, char** argv, Options& options) {
  Config& config = options.config;
  const std::map<std::string, unsigned*> numbers = {
      {"--nodes", &config.nodes},       {"--objects", &config.objects},
      {"--tasks", &config.tasks},       {"--ops", &config.ops},
      {"--total", &config.total},       {"--copies", &config.copies},
      {"--failures", &config.failures}, {"--joins", &config.joins},
      {"--leaves", &config.leaves},     {"--first", &config.first}};
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const bool more = i + 1 < argc;
    if (numbers.contains(name) && more) {
      *numbers.at(name) = static_cast<unsigned>(std::strtoul(argv[++i], nullptr, 10));
    } else if (name == "--states" && more) {
      options.limits.states = std::strtoull(argv[++i], nullptr, 10);
    } else if (name == "--seconds" && more) {
      options.limits.seconds = std::strtod(argv[++i], nullptr);
    } else if (name == "--allow" && more) {
      if (!parse_allowed(argv[++i], config.allowed)) return false;
    } else if (name == "--mutant" && more) {
      if (!parse_mutant(argv[++i], config.mutant)) return false;
    } else if (name == "--touch-at-home") {
      config.touch_at_home = true;
    } else if (name == "--data-late") {
      config.data_late = true;
    } else if (name == "--fills-fail") {
      config.fills_fail = true;
    } else if (name == "--unused") {
      options.unused = true;
    } else if (name == "--cycles") {
      options.cycles = true;
    } else {
      return false;
    }
  }
  return config.nodes >= 1 && config.nodes <= kNodes && config.objects >= 1 &&
         config.objects <= kObjects && config.tasks >= 1 && config.tasks <= 2 &&
         config.failures < config.nodes && config.failures <= 2 &&
         config.joins + config.leaves + config.failures < config.nodes && config.joins <= 2 &&
         config.leaves <= 2 && config.first < config.nodes;
}

int run(const Options& options) {
  const auto start = std::chrono::steady_clock::now();
  const Found found = explore(options.config, options.limits, options.cycles);
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  std::printf("%llu states, %llu transitions, %llu at rest, depth %u, %.1f s%s%s\n",
              static_cast<unsigned long long>(found.states),
              static_cast<unsigned long long>(found.transitions),
              static_cast<unsigned long long>(found.rests), found.depth, passed.count(),
              found.complete ? ", complete" : "", options.cycles ? ", cycles looked for" : "");
  if (options.unused) std::printf("%s", print_unused(found.coverage).c_str());
  if (!found.error.empty()) {
    std::printf("violation: %s\n%s", found.error.c_str(), found.trace.c_str());
    return 1;
  }
  if (found.cycle) {
    std::printf("violation: the cluster can go round in circles\n");
    return 1;
  }
  return found.complete ? 0 : 3;
}

}  // namespace
}  // namespace krg::kddm::check

int main(int argc, char** argv) {
  using namespace krg::kddm::check;
  if (argc == 2 && std::strcmp(argv[1], "--table") == 0) {
    std::fputs(print_tables().c_str(), stdout);
    return 0;
  }
  if (argc == 2 && std::strcmp(argv[1], "--list-mutants") == 0) {
    for (unsigned m = 1; m < static_cast<unsigned>(krg::kddm::Mutant::count); ++m) {
      std::puts(name_of(static_cast<krg::kddm::Mutant>(m)));
    }
    return 0;
  }
  Options options;
  if (!parse(argc, argv, options)) {
    std::fputs(
        "usage: krg_kddm_check [--nodes N] [--objects M] [--tasks T] [--ops K] [--total K]\n"
        "       [--copies C] [--failures F] [--joins J] [--leaves L] [--first N]\n"
        "       [--allow OP,...] [--touch-at-home] [--fills-fail] [--data-late] [--mutant NAME] "
        "[--states MAX] "
        "[--seconds MAX] "
        "[--cycles]\n"
        "       [--unused]\n"
        "       krg_kddm_check --table | --list-mutants\n",
        stderr);
    return 2;
  }
  return run(options);
}

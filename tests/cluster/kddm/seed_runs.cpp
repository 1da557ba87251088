#include "seed_runs.h"

#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <new>
#include <string>
#include <vector>

#include "krg/cli/exit.h"
#include "krg/cli/table.h"

namespace krg::kddm_sim {
namespace {

using Clock = std::chrono::steady_clock;

struct Sum {
  std::uint64_t seeds = 0, wrong = 0, operations = 0, done = 0, failures = 0, undecided = 0,
                moved = 0, trace = 0;

  void add(std::uint64_t seed, const Report& report) {
    ++seeds;
    wrong += !report.violation.empty();
    operations += report.operations;
    done += report.done;
    failures += report.failures;
    undecided += report.undecided;
    moved += report.moved;
    // Whatever the order in which they come.
    trace += (report.trace ^ seed) * 0x9e3779b97f4a7c15u;
  }
  void add(const Sum& other) {
    seeds += other.seeds;
    wrong += other.wrong;
    operations += other.operations;
    done += other.done;
    failures += other.failures;
    undecided += other.undecided;
    moved += other.moved;
    trace += other.trace;
  }
};

// What a job tells, in memory that all share; the sum when it has ended.
struct Told {
  std::atomic<std::uint64_t> seed = 0, seeds = 0, wrong = 0;
  Sum sum;
};

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
  if (plan.scenario.views == Views::oracle) line += " --views oracle";
  if (plan.scenario.room != 0) line += fmt::format(" --room {}", plan.scenario.room >> 10);
  if (plan.mutant != kddm::Mutant::none) {
    line += fmt::format(" --mutant {}", kddm::kMutantNames[static_cast<unsigned>(plan.mutant)]);
  }
  return line;
}

void show_wrong(const Plan& plan, std::uint64_t seed, const Report& report) {
  std::string text;
  if (plan.json) {
    cli::Table table({"Seed", "Violation", "Trace", "Replay"});
    table.add({static_cast<std::int64_t>(seed), report.violation,
               fmt::format("{:016x}", report.trace), replay(plan, seed)});
    text = table.json() + "\n";
  } else {
    text = fmt::format("seed {}: {}\n  trace {:016x}; replay: {}\n", seed, report.violation,
                       report.trace, replay(plan, seed));
  }
  // In one piece: other jobs print too.
  std::fwrite(text.data(), 1, text.size(), stdout);
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
  const std::string moved =
      plan.scenario.room == 0 ? std::string() : fmt::format("{} copies moved, ", sum.moved);
  fmt::print(
      "{} seeds, {} wrong, {} operations ({} ended well), {} failed lives, {} objects undecided, "
      "{}trace {:016x}, {:.1f} s\n",
      sum.seeds, sum.wrong, sum.operations, sum.done, sum.failures, sum.undecided, moved, sum.trace,
      took);
}

// Every `step`-th seed from plan.first + `offset` on.
void run_some(const Plan& plan, std::uint64_t offset, std::uint64_t step, Told& told,
              const std::atomic<bool>& stop, const std::function<void()>& after_each) {
  for (std::uint64_t seed = plan.first; offset <= plan.last - seed; offset = step) {
    seed += offset;
    told.seed = seed;
    Scenario scenario = plan.scenario;
    scenario.seed = seed;
    const Report report = run(scenario);
    told.sum.add(seed, report);
    told.seeds = told.sum.seeds;
    told.wrong = told.sum.wrong;
    if (!report.violation.empty()) show_wrong(plan, seed, report);
    if (stop || (told.sum.wrong > 0 && !plan.keep_going)) return;
    after_each();
  }
}

class Progress {
 public:
  explicit Progress(const Plan& plan) : plan_(plan) {}
  double passed() const { return std::chrono::duration<double>(Clock::now() - begun_).count(); }
  void show(std::uint64_t seeds, std::uint64_t wrong) {
    if (!plan_.progress || passed() < next_) return;
    constexpr double kEvery = 5;
    next_ = passed() + kEvery;
    fmt::print(stderr, "{} of {} seeds, {} wrong, {:.0f} s\n", seeds, plan_.last - plan_.first + 1,
               wrong, passed());
  }

 private:
  const Plan& plan_;
  const Clock::time_point begun_ = Clock::now();
  double next_ = 5;
};

// Memory for `n` of them that child processes share. nullptr: there is none.
template <class T>
T* share(std::size_t n) {
  void* const memory =
      mmap(nullptr, n * sizeof(T), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return nullptr;
  T* const all = static_cast<T*>(memory);
  for (std::size_t i = 0; i < n; ++i) new (all + i) T{};
  return all;
}

pid_t begin_job(const Plan& plan, unsigned job, Told& told, const std::atomic<bool>& stop) {
  std::fflush(stdout);
  const pid_t parent = getpid();
  const pid_t child = fork();
  if (child != 0) return child;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != parent) _exit(cli::kFailed);
  run_some(plan, job, plan.jobs, told, stop, [] {});
  _exit(cli::kDone);
}

// False: some seeds have not been run to their ends.
bool run_jobs(const Plan& plan, Sum& sum, Progress& progress) {
  Told* const told = share<Told>(plan.jobs);
  auto* const stop = share<std::atomic<bool>>(1);
  if (told == nullptr || stop == nullptr) return false;
  std::vector<pid_t> jobs;
  bool good = true;
  for (unsigned job = 0; job < plan.jobs; ++job) {
    jobs.push_back(begin_job(plan, job, told[job], *stop));
    good = good && jobs.back() > 0;
  }
  unsigned running = static_cast<unsigned>(
      std::count_if(jobs.begin(), jobs.end(), [](pid_t job) { return job > 0; }));
  while (running > 0) {
    usleep(20'000);
    std::uint64_t seeds = 0, wrong = 0;
    for (unsigned job = 0; job < plan.jobs; ++job) {
      seeds += told[job].seeds;
      wrong += told[job].wrong;
      int how = 0;
      if (jobs[job] <= 0 || waitpid(jobs[job], &how, WNOHANG) != jobs[job]) continue;
      jobs[job] = 0;
      --running;
      if (WIFEXITED(how) && WEXITSTATUS(how) == cli::kDone) continue;
      good = false;
      const std::uint64_t seed = told[job].seed;
      fmt::print("seed {}: the process has died; replay: {}\n", seed, replay(plan, seed));
    }
    if ((wrong > 0 || !good) && !plan.keep_going) *stop = true;
    progress.show(seeds, wrong);
  }
  for (unsigned job = 0; job < plan.jobs; ++job) sum.add(told[job].sum);
  munmap(told, plan.jobs * sizeof(Told));
  munmap(stop, sizeof *stop);
  return good;
}

}  // namespace

int run_seeds(const Plan& plan) {
  kddm::Seeded::active = plan.mutant;
  Progress progress(plan);
  Sum sum;
  bool good = true;
  if (plan.jobs == 1) {
    Told told;
    const std::atomic<bool> stop = false;
    run_some(plan, 0, 1, told, stop, [&] { progress.show(told.sum.seeds, told.sum.wrong); });
    sum = told.sum;
  } else {
    good = run_jobs(plan, sum, progress);
  }
  show_sum(plan, sum, progress.passed());
  return good && sum.wrong == 0 ? cli::kDone : cli::kFailed;
}

}  // namespace krg::kddm_sim

// krg_kddm_zipf: reads and writes of shared objects by many tasks, most of them of a few objects,
// beside the same work by MPI_Get and MPI_Put under MPI's locks.
#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "job.h"
#include "krg/harness/program.h"

using namespace krg;         // NOLINT
using namespace krg::bench;  // NOLINT

namespace {

constexpr std::size_t kObjectBytes = 64;
constexpr std::chrono::seconds kPatience{120};  // Beyond the run: 64 MPI ranks need 10 s to start.

struct Plan {
  unsigned tasks = 64;
  unsigned nodes = 4;
  unsigned objects = 100'000;
  unsigned writes = 50;  // Of a thousand operations.
};

// Beside this program in the same build.
std::string built(const std::string& path) {
  std::array<char, 4096> self{};
  const ssize_t n = readlink("/proc/self/exe", self.data(), self.size() - 1);
  const std::string own(self.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  return own.substr(0, own.rfind('/')) + "/" + path;
}

// What the job's first task has printed, as operations a second.
Result<harness::Sample> read_report(const std::string& text) {
  unsigned long long done = 0, writes = 0, counted = 0, late = 0;
  double seconds = 0;
  if (std::sscanf(text.c_str(), "zipf done %llu seconds %lf writes %llu counted %llu late %llu",
                  &done, &seconds, &writes, &counted, &late) != 5 ||
      counted != writes || seconds <= 0) {
    std::fprintf(stderr, "krg_kddm_zipf: not a report: %s\n", text.c_str());
    return Error(Errc::corrupt, "a job's report");
  }
  if (late > 0) {
    std::fprintf(stderr, "krg_kddm_zipf: %llu tasks began late: too short a run\n", late);
  }
  return harness::Sample{static_cast<double>(done) / seconds, 0};
}

harness::Entrant entrant(const std::string& name, const Plan& plan, Command launcher,
                         const std::string& program) {
  return {name, harness::solo([=, launcher = std::move(launcher)](
                                  const harness::Job& job) -> Result<harness::Sample> {
            const auto length = std::chrono::duration_cast<std::chrono::milliseconds>(job.length);
            Command command = launcher;
            command.insert(
                command.end(),
                {built(program), std::to_string(plan.objects), std::to_string(length.count() / 4),
                 std::to_string(length.count()), std::to_string(plan.writes)});
            const auto patience =
                kPatience + 2 * std::chrono::duration_cast<std::chrono::seconds>(length);
            KRG_TRY_ASSIGN(const std::string report, run_job(command, patience));
            return read_report(report);
          })};
}

harness::Match match_of(const Plan& plan) {
  const std::string tasks = std::to_string(plan.tasks);
  harness::Match match;
  match.server = false;
  const std::string row = tasks + " tasks, " + std::to_string(plan.nodes) + " nodes, " +
                          std::to_string(plan.writes) + "/1000 writes";
  match.rows = {{row, "1/s", {.kind = harness::Kind::rate, .size = kObjectBytes}}};
  match.entrants.push_back(entrant("krg", plan,
                                   {built("../../bin/krgrun"), "--nodes",
                                    std::to_string(plan.nodes), "-n", tasks, "--oversubscribe"},
                                   "zipf_krg"));
  match.entrants.push_back(
      entrant("MPICH, window locks", plan, {"mpiexec.hydra", "-n", tasks}, "zipf_mpi.mpich"));
  return match;
}

// Open MPI's locks are words in shared memory, and its ranks yield when they wait.
harness::Entrant open_mpi(const Plan& plan) {
  return entrant(
      "Open MPI, window locks", plan,
      {"mpirun.openmpi", "--allow-run-as-root", "--oversubscribe", "--mca", "odls_base_num_threads",
       "0", "--mca", "mpi_yield_when_idle", "1", "-n", std::to_string(plan.tasks)},
      "zipf_mpi.openmpi");
}

}  // namespace

int main(int argc, char** argv) {
  harness::Program program(
      "krg_kddm_zipf",
      "the same draws on an MPI window that is spread over the ranks: MPI_Win_lock, MPI_Get and "
      "(to write) MPI_Put, MPI_Win_unlock");
  // The harness gives up on a match by this length, and 64 ranks take longer to start than to run.
  program.default_run(std::chrono::seconds(10));
  program.only_over({harness::Transport::shm}, "both sides share this machine's memory");
  program.sizes_are("bytes of an object: 64", kObjectBytes, kObjectBytes);
  Plan plan;
  unsigned openmpi = 0;
  program.add_option("--tasks", plan.tasks, "tasks of krg, and ranks of MPI (default 64)");
  program.add_option("--nodes", plan.nodes, "nodes of krg inside this machine (default 4)");
  program.add_option("--objects", plan.objects, "objects, drawn by Zipf 0.99 (default 100000)");
  program.add_option("--writes", plan.writes, "writes of 1000 operations (default 50)");
  program.add_option("--openmpi", openmpi, "1: beside Open MPI too");
  program.parse(argc, argv);
  if (plan.nodes < 1 || plan.tasks < plan.nodes) program.refuse("--tasks: one a node at least");
  if (plan.objects < 1 || plan.objects > 100'000'000) program.refuse("--objects: 1 to 10^8");
  if (plan.writes > 1000) program.refuse("--writes: 1000 at most");
  harness::Match match = match_of(plan);
  if (openmpi > 0) match.entrants.push_back(open_mpi(plan));
  program.add(std::move(match));
  return program.run();
}

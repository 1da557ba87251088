// krg_launch: how long it takes to start programs and to see them end, beside other launchers.
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "krg/harness/program.h"
#include "launchers.h"

using namespace krg;         // NOLINT
using namespace krg::bench;  // NOLINT

namespace {

// Runs this bench under the tools that make hosts and a Slurm. Does not return.
[[noreturn]] void enter(unsigned hosts, bool slurm, int argc, char** argv) {
  const std::string tools = KRG_TESTING_TOOLS;
  Command command;
  if (hosts > 0) {
    // Above 16 the hosts start each other, for which they must see each other's processes.
    command = {tools + "/emulated_hosts", "run", std::to_string(hosts)};
    if (hosts > 16) command.emplace_back("--no-pidns");
    command.emplace_back("--");
  }
  if (slurm) {
    const Command more{tools + "/private_slurm", hosts > 0 ? "--hosts" : "--nodes"};
    command.insert(command.end(), more.begin(), more.end());
    if (hosts == 0) command.emplace_back("1");
    command.emplace_back("--");
  }
  command.insert(command.end(), argv, argv + argc);
  std::vector<char*> words;
  for (std::string& word : command) words.push_back(word.data());
  words.push_back(nullptr);
  setenv("LAUNCH_BENCH_ENTERED", "1", 1);
  execv(words[0], words.data());
  std::perror("krg_launch: the tools of tests/testing");
  std::exit(1);
}

harness::Entrant entrant(const std::string& name, Command command, const std::string& program) {
  return {name, harness::solo([=](const harness::Job&) -> Result<harness::Sample> {
            Command whole = command;
            whole.push_back(program);
            KRG_TRY_ASSIGN(const double ms, run_ms(whole));
            return harness::Sample{ms, 0};
          })};
}

harness::Entrant bare(const std::string& program, std::size_t copies) {
  return {"posix_spawn", harness::solo([=](const harness::Job&) -> Result<harness::Sample> {
            KRG_TRY_ASSIGN(const double ms, run_ms({program}, static_cast<unsigned>(copies)));
            return harness::Sample{ms, 0};
          })};
}

// A row of krg and whoever else can start the same; its size is the number of ranks.
harness::Match race(const std::string& row, const Stage& stage, Command krg, Family family,
                    const std::string& program, std::size_t ranks) {
  harness::Match match;
  match.server = false;
  match.rows = {{row, "ms", {.size = ranks}}};
  match.entrants = {entrant("krg", std::move(krg), program)};
  if (family == Family::none && stage.hosts.empty()) {
    match.entrants.push_back(bare(program, ranks));
  }
  if (auto command = hydra(stage, family, ranks)) {
    match.entrants.push_back(entrant("mpiexec.hydra", *command, program));
  }
  if (auto command = mpirun(stage, family, ranks)) {
    match.entrants.push_back(entrant("mpirun.openmpi", *command, program));
  }
  if (auto command = srun(stage, family, ranks)) {
    match.entrants.push_back(entrant("srun", *command, program));
  }
  return match;
}

// The rows run in processes forked from this one: they know its number.
std::string standing_name() {
  static const std::string name = "bench-" + std::to_string(getpid());
  return name;
}

void add_mpi(harness::Program& program, const Stage& stage, const std::string& where,
             std::size_t ranks) {
  for (const Family family : {Family::mpich, Family::openmpi}) {
    const std::string name = family == Family::mpich ? "mpich" : "openmpi";
    const std::string mpi = built("tests/multiproc/programs/init_finalize." + name);
    if (access(mpi.c_str(), X_OK) != 0) continue;
    program.add(race("MPI_Init to MPI_Finalize, " + name + where, stage, krgrun(stage, ranks),
                     family, mpi, ranks));
  }
}

void add_here(harness::Program& program, std::size_t ranks) {
  const Stage here;
  for (const char* nodes : {"1", "4"}) {
    Command krg = krgrun(here, ranks);
    krg.insert(krg.end(), {"--nodes", nodes});
    const std::string where = nodes[0] == '1' ? ", 1 node" : ", 4 nodes inside this machine";
    program.add(race("/bin/true" + where, here, krg, Family::none, "/bin/true", ranks));
  }
  // Its start and its end are outside of what is measured.
  const std::string standing = standing_name();
  const Command lasting{"sh", "-c",
                        "\"$0\" cluster list | grep -q $1 || \"$0\" cluster start $1 >&2",
                        built("bin/krgadm"), standing};
  Command krg{built("bin/krgrun"), "--cluster", standing,
              "--oversubscribe",   "-n",        std::to_string(ranks)};
  harness::Match job =
      race("/bin/true, on a standing cluster", here, krg, Family::none, "/bin/true", ranks);
  const harness::MakeContestant measured = job.entrants[0].make;
  job.entrants[0].make = [=] {
    if (!run_ms(lasting)) std::exit(1);
    return measured();
  };
  program.add(std::move(job));
  add_mpi(program, here, "", ranks);
}

void add_start_and_stop(harness::Program& program) {
  const Command start{"sh", "-c", "\"$0\" cluster start $1 && \"$0\" cluster stop $1",
                      built("bin/krgadm"), standing_name()};
  harness::Match match;
  match.server = false;
  match.rows = {{"a standing cluster starts and stops", "ms", {.size = 1}}};
  match.entrants = {entrant("krg", start, ""), bare("/bin/true", 1)};
  program.add(std::move(match));
}

void stop_standing() {
  (void)run_ms(
      {"sh", "-c", "\"$0\" cluster stop $1 2>&1 || true", built("bin/krgadm"), standing_name()});
}

}  // namespace

int main(int argc, char** argv) {
  harness::Program program("krg_launch",
                           "the wall time, in ms, of the same start by the launcher in the column "
                           "peer, or by that many posix_spawn() and waitpid()");
  // A job of 64 MPI ranks takes seconds, and a hanging launcher a minute; the harness gives up on a
  // match by this length.
  program.default_run(std::chrono::seconds(60));
  program.only_over({harness::Transport::shm, harness::Transport::tcp},
                    "a simulation starts no processes");
  program.sizes_are("ranks of each job (default 64)", 1, 4096);
  unsigned hosts = 0, slurm = 0;
  program.add_option("--hosts", hosts,
                     "over so many emulated hosts instead of inside this machine");
  program.add_option("--slurm", slurm, "1: beside srun too, under a Slurm of its own");
  const auto& settings = program.parse(argc, argv);
  const Stage stage = Stage::of_environment();
  if (hosts > 0 || !stage.hosts.empty()) {
    program.must_be_over(harness::Transport::tcp, "hosts share no memory");
  }
  if ((hosts > 0 || slurm > 0) && std::getenv("LAUNCH_BENCH_ENTERED") == nullptr) {
    enter(hosts, slurm > 0, argc, argv);
  }
  setenv("KRG_TRANSPORT_REACH", harness::name(settings.transport), 1);
  if (stage.hosts.empty()) add_start_and_stop(program);
  for (const std::size_t size : program.sizes_or({64})) {
    if (stage.hosts.empty()) {
      add_here(program, size);
      continue;
    }
    const std::string where = ", " + std::to_string(stage.hosts.size()) + " hosts";
    program.add(
        race("/bin/true" + where, stage, krgrun(stage, size), Family::none, "/bin/true", size));
    if (stage.hosts.size() <= 16) add_mpi(program, stage, where, size);
  }
  const int code = program.run();
  if (stage.hosts.empty()) stop_standing();
  return code;
}

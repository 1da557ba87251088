// krg_launch: how long it takes to start programs and to see them end, beside other launchers.
#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "krg/harness/program.h"

using namespace krg;  // NOLINT

namespace {

using Command = std::vector<std::string>;
using Clock = std::chrono::steady_clock;

std::string own_folder() {
  std::array<char, 4096> self{};
  const ssize_t n = readlink("/proc/self/exe", self.data(), self.size() - 1);
  const std::string path(self.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  return path.substr(0, path.rfind('/'));
}

bool is_installed(const std::string& program) {
  return access(("/usr/bin/" + program).c_str(), X_OK) == 0;
}

// Starts a program without output; -1 if it can not be.
pid_t start(const Command& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, argv[0], &files, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&files);
  return error == 0 ? pid : -1;
}

// Runs `copies` of a command at once. Milliseconds until the last has ended.
Result<harness::Sample> time_of(const Command& command, unsigned copies) {
  const Clock::time_point begin = Clock::now();
  std::vector<pid_t> pids;
  for (unsigned i = 0; i < copies; ++i) {
    const pid_t pid = start(command);
    if (pid < 0) return Error(Errc::not_found, "a launcher");
    pids.push_back(pid);
  }
  for (const pid_t pid : pids) {
    int status = 0;
    waitpid(pid, &status, 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      std::fprintf(stderr, "krg_launch: %s did not end well\n", command[0].c_str());
      return Error(Errc::system_error, "a launcher");
    }
  }
  const std::chrono::duration<double, std::milli> took = Clock::now() - begin;
  return harness::Sample{took.count(), 0};
}

// `prefix -n RANKS program`; a row's size is its number of ranks.
harness::Entrant launcher(const std::string& name, Command prefix, const std::string& program) {
  return {name, harness::solo([=](const harness::Job& job) {
            Command command = prefix;
            command.insert(command.end(), {"-n", std::to_string(job.size), program});
            return time_of(command, 1);
          })};
}

harness::Entrant bare(const std::string& program) {
  return {"posix_spawn", harness::solo([=](const harness::Job& job) {
            return time_of({program}, static_cast<unsigned>(job.size));
          })};
}

harness::Match match_of(const std::string& row, std::size_t ranks) {
  harness::Match match;
  match.server = false;
  match.rows = {{row, "ms", {.size = ranks}}};
  return match;
}

}  // namespace

int main(int argc, char** argv) {
  harness::Program program("krg_launch",
                           "the wall time, in ms, of the same start by the launcher in the column "
                           "peer, or by that many posix_spawn() and waitpid()");
  // A job of 64 MPI ranks takes seconds; the harness gives up on a match by this length.
  program.default_run(std::chrono::seconds(10));
  unsigned ranks = 64;
  program.add_option("--ranks", ranks, "ranks of each job");
  program.parse(argc, argv);

  const std::string folder = own_folder();
  const std::string krgrun = folder + "/../bin/krgrun";
  const std::string mpi = folder + "/../tests/mpi/";
  const Command hydra = {"mpiexec.hydra"};
  // Without the two settings Open MPI 4.1 refuses, or hangs on many short-lived programs.
  const Command openmpi = {"mpirun.openmpi", "--allow-run-as-root",   "--oversubscribe",
                           "--mca",          "odls_base_num_threads", "0"};
  const bool has_hydra = is_installed(hydra[0]), has_openmpi = is_installed(openmpi[0]);

  for (const char* nodes : {"1", "4"}) {
    const std::string where = std::string(", ") + nodes + (nodes[0] == '1' ? " node" : " nodes");
    harness::Match match = match_of("/bin/true" + where, ranks);
    match.entrants = {launcher("krg", {krgrun, "--nodes", nodes}, "/bin/true"), bare("/bin/true")};
    if (has_hydra) match.entrants.push_back(launcher(hydra[0], hydra, "/bin/true"));
    if (has_openmpi) match.entrants.push_back(launcher(openmpi[0], openmpi, "/bin/true"));
    program.add(std::move(match));
  }
  for (const bool mpich : {true, false}) {
    const std::string family = mpich ? "mpich" : "openmpi";
    const std::string hello = mpi + family + "/hello";
    if (access(hello.c_str(), X_OK) != 0 || !(mpich ? has_hydra : has_openmpi)) continue;
    harness::Match match = match_of("MPI_Init to MPI_Finalize, " + family, ranks);
    match.entrants = {launcher("krg", {krgrun}, hello),
                      launcher(mpich ? hydra[0] : openmpi[0], mpich ? hydra : openmpi, hello)};
    program.add(std::move(match));
  }
  return program.run();
}

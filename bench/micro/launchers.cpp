#include "launchers.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <fstream>

namespace krg::bench {
namespace {

using Clock = std::chrono::steady_clock;
constexpr std::chrono::seconds kPatience{60};

bool is_installed(const std::string& program) {
  return access(("/usr/bin/" + program).c_str(), X_OK) == 0;
}

std::string joined(const std::vector<std::string>& words, const std::string& after) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : ",") + word + after;
  return text;
}

void append(Command& command, const Command& more) {
  command.insert(command.end(), more.begin(), more.end());
}

// Starts a program in a process group of its own; -1 if it can not be.
pid_t start(const Command& command) {
  std::vector<char*> argv;
  for (const std::string& word : command) argv.push_back(const_cast<char*>(word.c_str()));
  argv.push_back(nullptr);
  posix_spawn_file_actions_t files;
  posix_spawn_file_actions_init(&files);
  posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  posix_spawnattr_init(&attributes);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t pid = -1;
  const int error = posix_spawnp(&pid, argv[0], &files, &attributes, argv.data(), environ);
  posix_spawnattr_destroy(&attributes);
  posix_spawn_file_actions_destroy(&files);
  return error == 0 ? pid : -1;
}

// Whether it ended by itself. What it started goes with its group.
bool wait_until(pid_t pid, Clock::time_point limit, int& status) {
  sigset_t child;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  while (waitpid(pid, &status, WNOHANG) == 0) {
    if (Clock::now() > limit) {
      kill(-pid, SIGKILL);
      waitpid(pid, &status, 0);
      return false;
    }
    const timespec a_second{1, 0};
    sigtimedwait(&child, nullptr, &a_second);
  }
  return true;
}

}  // namespace

Stage Stage::of_environment() {
  Stage stage;
  const char* const file = std::getenv("EMULATED_HOSTS_FILE");
  const char* const agent = std::getenv("EMULATED_HOSTS_AGENT");
  if (file == nullptr || agent == nullptr) return stage;
  std::ifstream lines(file);
  for (std::string host; std::getline(lines, host);) stage.hosts.push_back(host);
  stage.agent = agent;
  return stage;
}

std::size_t Stage::per_host(std::size_t ranks) const {
  return hosts.empty() ? ranks : (ranks + hosts.size() - 1) / hosts.size();
}

std::string built(const std::string& path) {
  std::array<char, 4096> self{};
  const ssize_t n = readlink("/proc/self/exe", self.data(), self.size() - 1);
  const std::string own(self.data(), n > 0 ? static_cast<std::size_t>(n) : 0);
  return own.substr(0, own.rfind('/')) + "/../" + path;
}

Command krgrun(const Stage& stage, std::size_t ranks) {
  Command command{built("bin/krgrun"), "--oversubscribe", "-n", std::to_string(ranks)};
  if (!stage.hosts.empty()) {
    append(command, {"--launch-agent", stage.agent, "-H", joined(stage.hosts, ""), "--ppn",
                     std::to_string(stage.per_host(ranks))});
  }
  return command;
}

std::optional<Command> hydra(const Stage& stage, Family family, std::size_t ranks) {
  if (!is_installed("mpiexec.hydra") || family == Family::openmpi) return {};
  Command command{"mpiexec.hydra", "-n", std::to_string(ranks)};
  if (!stage.hosts.empty()) {
    append(command, {"-launcher", "ssh", "-launcher-exec", stage.agent, "-hosts",
                     joined(stage.hosts, ""), "-ppn", std::to_string(stage.per_host(ranks))});
  }
  return command;
}

std::optional<Command> mpirun(const Stage& stage, Family family, std::size_t ranks) {
  if (!is_installed("mpirun.openmpi") || family == Family::mpich) return {};
  // Without the fork from one thread Open MPI 4.1 hangs on many short-lived programs.
  Command command{"mpirun.openmpi",
                  "--allow-run-as-root",
                  "--oversubscribe",
                  "--mca",
                  "odls_base_num_threads",
                  "0",
                  "-n",
                  std::to_string(ranks)};
  if (!stage.hosts.empty()) {
    append(command, {"--mca", "plm_rsh_agent", stage.agent, "--host",
                     joined(stage.hosts, ":" + std::to_string(stage.per_host(ranks)))});
  }
  return command;
}

std::optional<Command> srun(const Stage& stage, Family family, std::size_t ranks) {
  if (!is_installed("srun") || std::getenv("SLURM_CONF") == nullptr) return {};
  const char* const mpi = family == Family::mpich     ? "--mpi=pmi2"
                          : family == Family::openmpi ? "--mpi=pmix"
                                                      : "--mpi=none";
  const std::size_t nodes = stage.hosts.empty() ? 1 : stage.hosts.size();
  return Command{"env",
                 "OMPI_MCA_mpi_yield_when_idle=1",  // As the other two launchers set it.
                 "srun",
                 mpi,
                 "-N" + std::to_string(nodes),
                 "-n" + std::to_string(ranks),
                 "--ntasks-per-node=" + std::to_string(stage.per_host(ranks))};
}

Result<double> run_ms(const Command& command, unsigned copies) {
  sigset_t child, before;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  sigprocmask(SIG_BLOCK, &child, &before);
  const Clock::time_point begin = Clock::now();
  std::vector<pid_t> pids;
  for (unsigned i = 0; i < copies; ++i) {
    const pid_t pid = start(command);
    if (pid < 0) {
      std::fprintf(stderr, "krg_launch: %s can not be started\n", command[0].c_str());
      return Error(Errc::not_found, "a launcher");
    }
    pids.push_back(pid);
  }
  bool good = true;
  for (const pid_t pid : pids) {
    int status = 0;
    if (!wait_until(pid, begin + kPatience, status)) {
      std::fprintf(stderr, "krg_launch: %s did not end within 60 s: killed\n", command[0].c_str());
    } else {
      good = good && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    }
  }
  const std::chrono::duration<double, std::milli> took = Clock::now() - begin;
  sigprocmask(SIG_SETMASK, &before, nullptr);
  if (good) return took.count();
  std::fprintf(stderr, "krg_launch: %s did not end well\n", command[0].c_str());
  return Error(Errc::system_error, "a launcher");
}

}  // namespace krg::bench

#include "spawn.h"

#include <fcntl.h>
#include <linux/close_range.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <string_view>

#include "krg/base/assert.h"

namespace krg::proc {
namespace {

constexpr std::size_t kStackBytes = 256 * 1024;
constexpr std::size_t kGuardBytes = 64 * 1024;

enum class Step { signals, descriptors, directory, processors, program };

// All that the child needs, made before it exists: between clone and execve it may neither allocate
// nor lock.
struct Plan {
  const char* program = nullptr;
  char* const* argv = nullptr;
  char* const* env = nullptr;
  char* const* shell_argv = nullptr;  // For a script without "#!", as execvp(3) does.
  const char* directory = nullptr;
  const cpu_set_t* cpus = nullptr;
  std::size_t cpus_bytes = 0;
  InheritedFd* fds = nullptr;
  std::size_t fd_count = 0;
  bool dies_with_parent = true;
  int above = 0;  // No descriptor that the task is to have is at or above this.
  // Written by the child: the parent shares its memory.
  Step step = Step::signals;
  int error = 0;
};

[[noreturn]] void give_up(Plan& plan, Step step) {
  plan.step = step;
  plan.error = errno;
  _exit(127);
}

void place_descriptors(Plan& plan) {
  // Whatever a library forgot to mark stays out of the task.
  close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
  // A source may stand where another one's target is: move those out of the way first.
  for (std::size_t i = 0; i < plan.fd_count; ++i) {
    InheritedFd& fd = plan.fds[i];
    if (fd.from >= plan.above) continue;
    fd.from = fcntl(fd.from, F_DUPFD_CLOEXEC, plan.above);
    if (fd.from < 0) give_up(plan, Step::descriptors);
  }
  for (std::size_t i = 0; i < plan.fd_count; ++i) {
    if (dup2(plan.fds[i].from, plan.fds[i].to) < 0) give_up(plan, Step::descriptors);
  }
}

int child(void* argument) {
  Plan& plan = *static_cast<Plan*>(argument);
  // Handlers would run in the parent's memory; ignored signals would stay ignored in the task.
  struct sigaction normal = {};
  normal.sa_handler = SIG_DFL;
  for (int signal = 1; signal < NSIG; ++signal) sigaction(signal, &normal, nullptr);
  setsid();
  if (plan.dies_with_parent) prctl(PR_SET_PDEATHSIG, SIGKILL);
  place_descriptors(plan);
  if (plan.directory != nullptr && chdir(plan.directory) != 0) give_up(plan, Step::directory);
  if (plan.cpus != nullptr && sched_setaffinity(0, plan.cpus_bytes, plan.cpus) != 0) {
    give_up(plan, Step::processors);
  }
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  execve(plan.program, plan.argv, plan.env);
  if (errno == ENOEXEC) execve(plan.shell_argv[0], plan.shell_argv, plan.env);
  give_up(plan, Step::program);
}

Error explain(const Plan& plan) {
  const bool missing = plan.error == ENOENT || plan.error == ENOTDIR;
  const bool forbidden = plan.error == EACCES || plan.error == EPERM;
  const Errc code = missing ? Errc::not_found : forbidden ? Errc::denied : Errc::system_error;
  switch (plan.step) {
    case Step::program:
      return Error(code, missing ? "no such program" : "the program can not be executed")
          .with_native(plan.error);
    case Step::directory:
      return Error(code, "the working directory can not be entered").with_native(plan.error);
    case Step::processors:
      return Error(Errc::invalid_argument, "no such processor to bind to").with_native(plan.error);
    case Step::descriptors:
      return Error(Errc::invalid_argument, "a descriptor can not be handed on")
          .with_native(plan.error);
    case Step::signals:
      break;
  }
  return Error(code, "starting a program").with_native(plan.error);
}

std::vector<char*> pointers(const std::vector<std::string>& strings) {
  std::vector<char*> out;
  out.reserve(strings.size() + 1);
  for (const std::string& s : strings) out.push_back(const_cast<char*>(s.c_str()));
  out.push_back(nullptr);
  return out;
}

// As execvp(3): the first executable of that name in the PATH of `env`.
std::string find_program(const std::string& name, const std::vector<std::string>& env,
                         const std::string& directory) {
  if (name.find('/') != std::string::npos) return name;
  std::string_view path = "/usr/local/bin:/bin:/usr/bin";
  for (const std::string& entry : env) {
    if (entry.rfind("PATH=", 0) == 0) path = std::string_view(entry).substr(5);
  }
  while (true) {
    const std::size_t colon = path.find(':');
    std::string candidate(path.substr(0, colon));
    candidate = (candidate.empty() ? "." : candidate) + "/" + name;
    const bool relative = candidate[0] != '/' && !directory.empty();
    const std::string here = relative ? directory + "/" + candidate : candidate;
    if (access(here.c_str(), X_OK) == 0) return candidate;
    if (colon == std::string_view::npos) return name;
    path.remove_prefix(colon + 1);
  }
}

struct CpuSet {
  explicit CpuSet(const std::vector<std::uint32_t>& cpus) {
    if (cpus.empty()) return;
    const std::uint32_t last = *std::max_element(cpus.begin(), cpus.end());
    words.resize(last / 64 + 1);
    for (const std::uint32_t cpu : cpus) words[cpu / 64] |= 1ul << (cpu % 64);
  }
  std::vector<unsigned long> words;
};

}  // namespace

SpawnStack::SpawnStack()
    : base_(mmap(nullptr, kStackBytes, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0)) {
  KRG_ASSERT(base_ != MAP_FAILED);
  mprotect(base_, kGuardBytes, PROT_NONE);
}

SpawnStack::~SpawnStack() { munmap(base_, kStackBytes); }

void* SpawnStack::top() const noexcept { return static_cast<char*>(base_) + kStackBytes; }

Result<pid_t> spawn(const TaskSpec& spec, const int (&standard)[3], const SpawnStack& stack) {
  if (spec.argv.empty() || spec.argv[0].empty()) {
    return Error(Errc::invalid_argument, "no program to start");
  }
  const std::string& wanted = spec.program.empty() ? spec.argv[0] : spec.program;
  const std::string program = find_program(wanted, spec.env, spec.working_directory);
  const std::vector<char*> argv = pointers(spec.argv);
  const std::vector<char*> env = pointers(spec.env);
  std::vector<std::string> script = {"/bin/sh", program};
  script.insert(script.end(), spec.argv.begin() + 1, spec.argv.end());
  const std::vector<char*> script_argv = pointers(script);
  const CpuSet cpus(spec.cpus);
  std::vector<InheritedFd> fds = spec.fds;
  for (int i = 0; i < 3; ++i) {
    if (standard[i] >= 0) fds.push_back({standard[i], i});
  }

  Plan plan;
  plan.program = program.c_str();
  plan.argv = argv.data();
  plan.env = env.data();
  plan.shell_argv = script_argv.data();
  plan.directory = spec.working_directory.empty() ? nullptr : spec.working_directory.c_str();
  plan.cpus = cpus.words.empty() ? nullptr : reinterpret_cast<const cpu_set_t*>(cpus.words.data());
  plan.cpus_bytes = cpus.words.size() * sizeof(unsigned long);
  plan.fds = fds.data();
  plan.fd_count = fds.size();
  plan.dies_with_parent = spec.dies_with_parent;
  for (const InheritedFd& fd : fds) plan.above = std::max(plan.above, fd.to + 1);

  // No handler of this process may run in the child before its handlers are reset.
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  const pid_t pid = clone(child, stack.top(), CLONE_VM | CLONE_VFORK | SIGCHLD, &plan);
  const int clone_error = errno;
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (pid < 0) {
    return Error(clone_error == EAGAIN ? Errc::limit_reached : Errc::system_error,
                 "starting a process")
        .with_native(clone_error);
  }
  if (plan.error != 0) {
    // It never became the program: nobody else may see this child.
    int status;
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return explain(plan);
  }
  return pid;
}

}  // namespace krg::proc

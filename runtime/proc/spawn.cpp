#include "spawn.h"

#include <linux/futex.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "child.h"
#include "krg/base/assert.h"
#include "raw_syscall.h"

namespace krg::proc {
namespace {

// The child calls nothing but the kernel.
constexpr std::size_t kStackBytes = 16 * 1024;

Error explain(const Plan& plan) {
  const bool missing = plan.error == ENOENT || plan.error == ENOTDIR;
  const bool forbidden = plan.error == EACCES || plan.error == EPERM;
  const Errc code = missing ? Errc::not_found : forbidden ? Errc::denied : Errc::system_error;
  switch (plan.step) {
    case Plan::Step::program:
      return Error(code, missing ? "no such program" : "the program can not be executed")
          .with_native(plan.error);
    case Plan::Step::directory:
      return Error(code, "the working directory can not be entered").with_native(plan.error);
    case Plan::Step::processors:
      return Error(Errc::invalid_argument, "no such processor to bind to").with_native(plan.error);
    case Plan::Step::descriptors:
      return Error(Errc::invalid_argument, "a descriptor can not be handed on")
          .with_native(plan.error);
    case Plan::Step::signals:
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

std::string program_of(const TaskSpec& spec) {
  if (spec.body) return "";
  return find_program(spec.program.empty() ? spec.argv[0] : spec.program, spec.env,
                      spec.working_directory);
}

std::vector<std::string> script_of(const TaskSpec& spec, const std::string& program) {
  if (spec.body) return {};
  std::vector<std::string> script = {"/bin/sh", program};
  script.insert(script.end(), spec.argv.begin() + 1, spec.argv.end());
  return script;
}

// The signals that do not have their default.
std::uint64_t signals_of_this_process() {
  std::uint64_t signals = 0;
  for (int signal = 1; signal < NSIG; ++signal) {
    struct sigaction now {};
    // glibc keeps two for itself and says EINVAL.
    const bool normal = sigaction(signal, nullptr, &now) == 0 && now.sa_handler == SIG_DFL;
    if (!normal && signal != SIGKILL && signal != SIGSTOP) {
      signals |= std::uint64_t{1} << (signal - 1);
    }
  }
  return signals;
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

// The stacks of a batch's children, in one mapping.
class Stacks {
 public:
  explicit Stacks(std::size_t count)
      : bytes_(count * kStackBytes),
        base_(mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
                   -1, 0)) {}
  Stacks(const Stacks&) = delete;
  Stacks& operator=(const Stacks&) = delete;
  ~Stacks() {
    if (ok()) munmap(base_, bytes_);
  }
  bool ok() const noexcept { return base_ != MAP_FAILED; }
  void* top(std::size_t index) const noexcept {
    return static_cast<char*>(base_) + (index + 1) * kStackBytes;
  }

 private:
  std::size_t bytes_;
  void* base_;
};

// One child on its way, with everything that its Plan points to.
class Start {
 public:
  Start(SpawnOrder& order, std::uint64_t signals);
  Start(const Start&) = delete;
  Start& operator=(const Start&) = delete;

  // Requires  all signals are blocked: no handler of this process may run in the child.
  void go(void* stack);
  void copy();
  // Waits until the child has left this process's memory, and judges.
  void arrive();

 private:
  SpawnOrder& order_;
  const std::string program_;
  const std::vector<char*> argv_, env_;
  const std::vector<std::string> script_;
  const std::vector<char*> script_argv_;
  const CpuSet cpus_;
  std::vector<InheritedFd> fds_;
  Plan plan_;
  pid_t pid_ = -1;
  int clone_error_ = 0;
  std::atomic<pid_t> here_{1};  // The kernel makes it 0 when the child has left.
};

Start::Start(SpawnOrder& order, std::uint64_t signals)
    : order_(order),
      program_(program_of(*order.spec)),
      argv_(pointers(order.spec->argv)),
      env_(pointers(order.spec->env)),
      script_(script_of(*order.spec, program_)),
      script_argv_(pointers(script_)),
      cpus_(order.spec->cpus),
      fds_(order.spec->fds) {
  const TaskSpec& spec = *order.spec;
  for (std::size_t i = 0; i < order.standard.size(); ++i) {
    if (order.standard[i] >= 0) fds_.push_back({order.standard[i], static_cast<int>(i)});
  }
  plan_.program = program_.c_str();
  plan_.argv = argv_.data();
  plan_.env = env_.data();
  plan_.shell_argv = script_argv_.data();
  plan_.directory = spec.working_directory.empty() ? nullptr : spec.working_directory.c_str();
  plan_.cpus = cpus_.words.empty() ? nullptr : cpus_.words.data();
  plan_.cpus_bytes = cpus_.words.size() * sizeof(unsigned long);
  plan_.fds = fds_.data();
  plan_.fd_count = fds_.size();
  plan_.dies_with_parent = spec.dies_with_parent;
  plan_.signals = signals;
  for (const InheritedFd& fd : fds_) plan_.above = std::max(plan_.above, fd.to + 1);
}

// A copy of this process, which does the body's work.
void Start::copy() {
  pid_ = fork();
  clone_error_ = pid_ < 0 ? errno : 0;
  here_.store(0, std::memory_order_relaxed);
  if (pid_ != 0) return;
  prepare(plan_);
  close_range(static_cast<unsigned>(plan_.above), ~0u, 0);
  _exit(order_.spec->body());
}

void Start::go(void* stack) {
  if (order_.spec->body) return copy();
  constexpr int kWait = kRawSyscalls ? 0 : CLONE_VFORK;
  static_assert(sizeof here_ == sizeof(pid_t) && std::atomic<pid_t>::is_always_lock_free);
  pid_ = clone(become, stack, CLONE_VM | CLONE_CHILD_CLEARTID | SIGCHLD | kWait, &plan_, nullptr,
               nullptr, &here_);
  clone_error_ = pid_ < 0 ? errno : 0;
}

void Start::arrive() {
  if (pid_ < 0) {
    order_.pid = Error(clone_error_ == EAGAIN ? Errc::limit_reached : Errc::system_error,
                       "starting a process")
                     .with_native(clone_error_);
    return;
  }
  while (here_.load(std::memory_order_acquire) != 0) {
    syscall(SYS_futex, &here_, FUTEX_WAIT, 1, nullptr);
  }
  if (plan_.error == 0) {
    order_.pid = pid_;
    return;
  }
  // It never became the program: nobody else may see this child.
  int status;
  while (waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  order_.pid = explain(plan_);
}

}  // namespace

void spawn(std::span<SpawnOrder> orders) {
  const Stacks stacks(orders.size());
  const std::uint64_t signals = signals_of_this_process();
  std::deque<Start> starts;  // A Start does not move.
  for (SpawnOrder& order : orders) {
    if (!stacks.ok()) {
      order.pid = Errc::no_memory;
    } else if (!order.spec->body && (order.spec->argv.empty() || order.spec->argv[0].empty())) {
      order.pid = Error(Errc::invalid_argument, "no program to start");
    } else {
      starts.emplace_back(order, signals);
    }
  }
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::size_t at = 0;
  for (Start& start : starts) start.go(stacks.top(at++));
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  for (Start& start : starts) start.arrive();
}

}  // namespace krg::proc

#include "krg/proc/supervisor.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>

#include "krg/base/assert.h"
#include "krg/proc/descendants.h"
#include "krg/proc/line_buffer.h"
#include "krg/reactor/event.h"
#include "spawn.h"

namespace krg::proc {
namespace {

constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kInputMax = 256 * 1024;
// A pipe holds 64 KiB; a grandchild that goes on writing must not keep its parent's exit from being
// told.
constexpr int kReadsAtExit = 32;

bool is_given(const TaskSpec& spec, int fd) {
  return std::any_of(spec.fds.begin(), spec.fds.end(),
                     [fd](const InheritedFd& one) { return one.to == fd; });
}

}  // namespace

struct Supervisor::Pipe final : reactor::FdHandler {
  Pipe(Supervisor& s, Task& t, Stream w)
      : supervisor(s),
        task(t),
        which(w),
        lines([this](std::span<const std::byte> text) { pass(text); }) {}
  void on_fd(std::uint32_t) noexcept override { supervisor.read_some(*this); }
  void pass(std::span<const std::byte> text);
  void listen() { KRG_ASSERT(supervisor.reactor_.watch(fd.get(), EPOLLIN, *this)); }
  void close() {
    if (!fd) return;
    supervisor.reactor_.unwatch(fd.get());
    fd.reset();
  }

  Supervisor& supervisor;
  Task& task;
  const Stream which;
  UniqueFd fd;
  LineBuffer lines;
  bool has_more = false;
};

struct Supervisor::Task final : reactor::FdHandler {
  Task(Supervisor& s, std::uint32_t g) : supervisor(s), group(g) {}
  void on_fd(std::uint32_t) noexcept override { supervisor.feed(*this); }  // Its standard input.

  Supervisor& supervisor;
  const std::uint32_t group;
  TaskId id;
  TaskObserver* observer = nullptr;
  pid_t pid = 0;  // 0 once reaped.
  bool told = false;
  bool dropped = false;
  ExitStatus status;
  Pipe out{supervisor, *this, Stream::out};
  Pipe err{supervisor, *this, Stream::err};
  UniqueFd input;
  std::string input_queue;
  bool input_ends = false;
  bool input_refused = false;
};

void Supervisor::Pipe::pass(std::span<const std::byte> text) {
  task.observer->on_output(task.id, which, text);
}

Supervisor::Supervisor(reactor::Reactor& reactor)
    : reactor_(reactor),
      null_(open("/dev/null", O_RDONLY | O_CLOEXEC)),
      oom_kills_(count_oom_kills()),
      scratch_(kReadBytes) {
  sigset_t child, blocked;
  sigemptyset(&child);
  sigaddset(&child, SIGCHLD);
  blocked = child;
  sigaddset(&blocked, SIGPIPE);  // A task that closes its standard input must not end this process.
  pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  signals_.reset(signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK));
  KRG_ASSERT(signals_ && null_);
  KRG_ASSERT(reactor_.watch(signals_.get(), EPOLLIN, *this));
}

Supervisor::~Supervisor() {
  for (auto& [pid, task] : by_pid_) {
    kill(-pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  for (auto& [id, task] : tasks_) drop(*task);
  reactor_.unwatch(signals_.get());
}

Supervisor::Task* Supervisor::find(TaskId task) const noexcept {
  const auto at = tasks_.find(task);
  return at == tasks_.end() ? nullptr : at->second.get();
}

pid_t Supervisor::pid(TaskId task) const noexcept {
  const Task* const t = find(task);
  return t == nullptr ? 0 : t->pid;
}

bool Supervisor::paused(std::uint32_t group) const noexcept {
  return std::find(paused_.begin(), paused_.end(), group) != paused_.end();
}

// Opens the task's pipes: this process's ends go into the Task, the task's ends into `theirs`.
Result<std::unique_ptr<Supervisor::Task>> Supervisor::open_pipes(const TaskSpec& spec,
                                                                 std::array<UniqueFd, 3>& theirs) {
  auto task = std::make_unique<Task>(*this, spec.group);
  UniqueFd* const mine[3] = {&task->input, &task->out.fd, &task->err.fd};
  for (int i = 0; i < 3; ++i) {
    if (is_given(spec, i) || (i == 0 && spec.input == Input::none)) continue;
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) != 0) {
      return Error(Errc::limit_reached, "no descriptors for a task's pipes").with_native(errno);
    }
    const int own = i == 0 ? 1 : 0;
    mine[i]->reset(ends[own]);
    theirs[static_cast<std::size_t>(i)].reset(ends[1 - own]);
    fcntl(ends[own], F_SETFL, O_NONBLOCK);
  }
  return task;
}

// A task that runs is one that this process waits for and reads from.
TaskId Supervisor::adopt(std::unique_ptr<Task> task, pid_t pid, TaskObserver& observer) {
  task->id = TaskId{++last_id_};
  task->observer = &observer;
  task->pid = pid;
  by_pid_.emplace(pid, task.get());
  sessions_[pid] = task->group;
  if (!paused(task->group)) {
    for (Pipe* pipe : {&task->out, &task->err}) {
      if (pipe->fd) pipe->listen();
    }
  }
  const TaskId id = task->id;
  tasks_.emplace(id, std::move(task));
  return id;
}

std::vector<Result<TaskId>> Supervisor::spawn_all(std::span<const TaskSpec> specs,
                                                  TaskObserver& observer) {
  std::vector<Result<TaskId>> results(specs.size(), Errc::cancelled);
  std::vector<std::unique_ptr<Task>> tasks(specs.size());
  std::vector<std::array<UniqueFd, 3>> theirs(specs.size());
  std::vector<SpawnOrder> orders;
  std::vector<std::size_t> index;  // Of the order's spec.
  for (std::size_t i = 0; i < specs.size(); ++i) {
    auto task = open_pipes(specs[i], theirs[i]);
    if (!task) {
      results[i] = task.error();
      continue;
    }
    tasks[i] = std::move(*task);
    SpawnOrder order;
    order.spec = &specs[i];
    for (std::size_t fd = 0; fd < 3; ++fd) order.standard[fd] = theirs[i][fd].get();
    if (specs[i].input == Input::none && !is_given(specs[i], 0)) order.standard[0] = null_.get();
    orders.push_back(order);
    index.push_back(i);
  }
  proc::spawn(orders);
  for (std::size_t at = 0; at < orders.size(); ++at) {
    const Result<pid_t>& pid = orders[at].pid;
    const std::size_t i = index[at];
    results[i] = pid ? Result<TaskId>(adopt(std::move(tasks[i]), *pid, observer)) : pid.error();
  }
  return results;
}

Result<TaskId> Supervisor::spawn(const TaskSpec& spec, TaskObserver& observer) {
  return spawn_all(std::span(&spec, 1), observer).front();
}

void Supervisor::on_fd(std::uint32_t) noexcept {
  graveyard_.clear();
  signalfd_siginfo info[16];
  while (read(signals_.get(), info, sizeof info) > 0) {
  }
  int status = 0;
  pid_t pid;
  while ((pid = waitpid(-1, &status, WNOHANG)) > 0) reap(pid, status);
}

void Supervisor::reap(pid_t pid, int status) {
  const auto at = by_pid_.find(pid);
  if (at == by_pid_.end()) return;  // An orphan that a task left behind.
  Task& task = *at->second;
  by_pid_.erase(at);
  task.pid = 0;
  task.status = from_wait_status(status);
  if (task.status.signal == SIGKILL) {
    const std::uint64_t kills = count_oom_kills();
    task.status.out_of_memory = kills != oom_kills_;
    oom_kills_ = kills;
  }
  if (!paused(task.group)) finish(task);
}

// Tells the rest of the output, then the exit.
void Supervisor::finish(Task& task) {
  for (Pipe* pipe : {&task.out, &task.err}) {
    for (int reads = 0; reads < kReadsAtExit && pipe->fd; ++reads) {
      read_some(*pipe);
      if (!pipe->has_more) break;
    }
    pipe->lines.flush();
  }
  task.told = true;
  task.observer->on_exit(task.id, task.status);
  // Open pipes now belong to what the task has left behind.
  if (!task.out.fd && !task.err.fd) drop(task);
}

void Supervisor::read_some(Pipe& pipe) {
  const ssize_t n = read(pipe.fd.get(), scratch_.data(), scratch_.size());
  pipe.has_more = n > 0;
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) {
    pipe.lines.add(std::span(scratch_).first(static_cast<std::size_t>(n)));
    return;
  }
  pipe.lines.flush();
  pipe.close();
  Task& task = pipe.task;
  if (task.told && !task.out.fd && !task.err.fd) drop(task);
}

// Forgets a task; its memory stays until no call can be inside it.
void Supervisor::drop(Task& task) {
  if (task.dropped) return;
  task.dropped = true;
  task.out.close();
  task.err.close();
  if (task.input) {
    reactor_.unwatch(task.input.get());
    task.input.reset();
  }
  if (const auto at = tasks_.find(task.id); at != tasks_.end() && task.pid == 0) {
    graveyard_.push_back(std::move(at->second));
    tasks_.erase(at);
  }
}

Status Supervisor::write_input(TaskId id, std::span<const std::byte> bytes) {
  Task* const task = find(id);
  if (task == nullptr || !task->input || task->input_ends) return Error(Errc::end_of_stream);
  if (task->input_queue.size() + bytes.size() > kInputMax && !task->input_queue.empty()) {
    task->input_refused = true;
    return Error(Errc::would_block);
  }
  task->input_queue.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  feed(*task);
  return {};
}

void Supervisor::close_input(TaskId id) {
  Task* const task = find(id);
  if (task == nullptr || !task->input) return;
  task->input_ends = true;
  feed(*task);
}

// Writes what the pipe takes of the queued input.
void Supervisor::feed(Task& task) {
  std::size_t done = 0;
  bool gone = false;
  while (done < task.input_queue.size()) {
    const ssize_t n =
        write(task.input.get(), task.input_queue.data() + done, task.input_queue.size() - done);
    if (n < 0 && errno == EINTR) continue;
    gone = n < 0 && errno != EAGAIN;
    if (n < 0) break;
    done += static_cast<std::size_t>(n);
  }
  task.input_queue.erase(0, done);
  if (gone || (task.input_queue.empty() && task.input_ends)) {
    reactor_.unwatch(task.input.get());
    task.input.reset();
    task.input_queue.clear();
  } else if (task.input_queue.empty()) {
    reactor_.unwatch(task.input.get());
  } else {
    KRG_ASSERT(reactor_.watch(task.input.get(), EPOLLOUT, task));
  }
  if (task.input_refused && task.input_queue.size() <= kInputMax / 2) {
    task.input_refused = false;
    task.observer->on_input_room(task.id);
  }
}

void Supervisor::pause_output(std::uint32_t group) {
  if (paused(group)) return;
  paused_.push_back(group);
  for (auto& [id, task] : tasks_) {
    if (task->group != group) continue;
    for (Pipe* pipe : {&task->out, &task->err}) reactor_.unwatch(pipe->fd.get());
  }
}

void Supervisor::resume_output(std::uint32_t group) {
  if (std::erase(paused_, group) == 0) return;
  std::vector<TaskId> waiting;
  for (auto& [id, task] : tasks_) {
    if (task->group != group) continue;
    for (Pipe* pipe : {&task->out, &task->err}) {
      if (pipe->fd) pipe->listen();
    }
    if (task->pid == 0 && !task->told) waiting.push_back(id);
  }
  for (const TaskId id : waiting) {
    // An observer may have paused the group again.
    if (Task* const task = find(id); task != nullptr && !task->told && !paused(group))
      finish(*task);
  }
}

Status Supervisor::signal(TaskId id, int number) {
  const Task* const task = find(id);
  if (task == nullptr || task->pid == 0 || kill(-task->pid, number) != 0) {
    return Error(Errc::not_found, "the task has ended");
  }
  return {};
}

void Supervisor::signal_group(std::uint32_t group, int number) {
  for (const auto& [pid, task] : by_pid_) {
    if (task->group == group) kill(-pid, number);
  }
}

// Kills what has come from the group's tasks. False if there was nothing.
bool Supervisor::kill_leftovers(std::uint32_t group) {
  siginfo_t info;
  if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 && errno == ECHILD) return false;
  bool others = false;
  for (const auto& [pid, task] : by_pid_) others = others || task->group != group;
  std::vector<pid_t> victims;
  for (const Descendant& one : descendants()) {
    if (one.zombie) continue;
    const auto branch = by_pid_.find(one.branch);
    const auto session = sessions_.find(one.session);
    // By its living task; or by its session; or, if it has made itself a session, by there being
    // nobody else whose it could be.
    const bool ours = branch != by_pid_.end()      ? branch->second->group == group
                      : session != sessions_.end() ? session->second == group
                                                   : !others;
    if (!ours) continue;
    sessions_.emplace(one.session, group);  // Its branch may be gone when the next round looks.
    // The tasks themselves first, or they would see their children die.
    victims.insert(one.pid == one.branch ? victims.begin() : victims.end(), one.pid);
  }
  for (const pid_t pid : victims) kill(pid, SIGKILL);
  return !victims.empty();
}

Co<bool> Supervisor::clear_group(std::uint32_t group, Deadline deadline) {
  Duration pause = std::chrono::microseconds(200);
  bool clean = true;
  while (kill_leftovers(group)) {
    if (deadline.passed(reactor_.now())) {
      clean = false;
      break;
    }
    co_await reactor::sleep_for(reactor_, pause);
    pause = std::min<Duration>(pause * 2, std::chrono::milliseconds(50));
  }
  std::vector<Task*> ended;
  for (auto& [id, task] : tasks_) {
    if (task->group == group && task->told) ended.push_back(task.get());
  }
  for (Task* task : ended) drop(*task);
  std::erase_if(sessions_, [&](const auto& entry) {
    return entry.second == group && !by_pid_.contains(entry.first);
  });
  co_return clean;
}

std::uint64_t Supervisor::count_oom_kills() const noexcept {
  const UniqueFd fd(open("/proc/vmstat", O_RDONLY | O_CLOEXEC));
  std::string text(16 * 1024, '\0');
  const ssize_t n = fd ? read(fd.get(), text.data(), text.size()) : 0;
  text.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  const std::size_t at = text.find("oom_kill ");
  return at == std::string::npos ? 0 : std::strtoull(text.c_str() + at + 9, nullptr, 10);
}

}  // namespace krg::proc

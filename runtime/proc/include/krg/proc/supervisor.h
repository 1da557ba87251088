// proc/supervisor.h: starts the tasks of a node, feeds and reads them, and knows how each one
// ended.
//
// Model    every child of this process is started here and reaped here, by one SIGCHLD descriptor;
// a child that
//          dies before spawn() returns is found like any other, since reaping happens in a later
//          turn. A task is a session; what it leaves behind comes to this process (become_reaper)
//          and dies with the group. A task's exit is told once, after everything it wrote before.
// Threads  owned by the reactor's thread. Make it before any other thread exists: it blocks
// SIGCHLD, and a
//          thread that does not would swallow the signal.
// Blocks   spawn() for one execve, about 0.4 ms, spawn_all() for as many, divided by the
//          processors; nothing else.
// Source   signalfd(2), setsid(2); docs/design/launch.md, "Tasks"
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <unordered_map>
#include <vector>

#include "krg/base/ids.h"
#include "krg/base/unique_fd.h"
#include "krg/error/result.h"
#include "krg/proc/exit_status.h"
#include "krg/proc/task_spec.h"
#include "krg/reactor/co.h"
#include "krg/reactor/reactor.h"

namespace krg::proc {

// A task of this supervisor; never used twice.
using TaskId = StrongId<struct TaskIdTag, std::uint32_t>;

enum class Stream : std::uint8_t { out = 1, err = 2 };

// What a task does. Called from the reactor; may call the supervisor back.
class TaskObserver {
 public:
  // `text` is whole lines, except the pieces of a very long line and what a task wrote last. It is
  // valid until this returns.
  virtual void on_output(TaskId task, Stream stream, std::span<const std::byte> text) = 0;
  // After a write_input that would have blocked: there is room again.
  virtual void on_input_room(TaskId task) = 0;
  virtual void on_exit(TaskId task, const ExitStatus& status) = 0;

 protected:
  ~TaskObserver() = default;
};

class Supervisor final : private reactor::FdHandler {
 public:
  explicit Supervisor(reactor::Reactor& reactor);
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;
  // Kills what is left.
  ~Supervisor();

  // Errors  as in spawn.h: not_found, denied, invalid_argument, limit_reached (processes,
  // descriptors),
  //         system_error. Nothing is left of a task that could not be started.
  Result<TaskId> spawn(const TaskSpec& spec, TaskObserver& observer);
  // Many at once, by all processors. A result for each; those that could not be started do not keep
  // the others from it.
  std::vector<Result<TaskId>> spawn_all(std::span<const TaskSpec> specs, TaskObserver& observer);

  // Queues bytes for the task's standard input.
  // Errors  would_block  more than 256 KiB wait already; on_input_room follows. Nothing was taken.
  //         end_of_stream  the task has closed its end, or close_input() was called.
  Status write_input(TaskId task, std::span<const std::byte> bytes);
  // The task reads end of file after what is queued.
  void close_input(TaskId task);

  // Stops and goes on reading what the tasks of `group` write; a task whose pipe is full waits. An
  // exit is held back too, for its output comes first.
  void pause_output(std::uint32_t group);
  void resume_output(std::uint32_t group);

  // Sends a signal to the task's process group.
  // Errors  not_found  it has ended.
  Status signal(TaskId task, int number);
  void signal_group(std::uint32_t group, int number);
  // SIGKILL to everything that came from the group's tasks, again and again until nothing is left,
  // and closes their pipes. True if nothing is left by `deadline`.
  Co<bool> clear_group(std::uint32_t group, Deadline deadline);

  // 0 if it has ended.
  pid_t pid(TaskId task) const noexcept;
  std::size_t running() const noexcept { return by_pid_.size(); }

 private:
  struct Task;
  struct Pipe;

  void on_fd(std::uint32_t events) noexcept override;
  void reap(pid_t pid, int status);
  void finish(Task& task);
  void read_some(Pipe& pipe);
  void feed(Task& task);
  void drop(Task& task);
  Result<std::unique_ptr<Task>> open_pipes(const TaskSpec& spec, std::array<UniqueFd, 3>& theirs);
  TaskId adopt(std::unique_ptr<Task> task, pid_t pid, TaskObserver& observer);
  bool kill_leftovers(std::uint32_t group);
  bool paused(std::uint32_t group) const noexcept;
  std::uint64_t count_oom_kills() const noexcept;
  Task* find(TaskId task) const noexcept;

  reactor::Reactor& reactor_;
  UniqueFd signals_;
  UniqueFd null_;
  std::uint32_t last_id_ = 0;
  std::uint64_t oom_kills_;
  std::unordered_map<TaskId, std::unique_ptr<Task>> tasks_;
  std::unordered_map<pid_t, Task*> by_pid_;  // Those that have not ended.
  std::unordered_map<pid_t, std::uint32_t>
      sessions_;                                  // Session -> group, until the group is cleared.
  std::vector<std::uint32_t> paused_;             // Groups.
  std::vector<std::unique_ptr<Task>> graveyard_;  // Freed when no callback can be inside one.
  std::vector<std::byte> scratch_;
};

}  // namespace krg::proc

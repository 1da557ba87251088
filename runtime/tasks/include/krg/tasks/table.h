// tasks/table.h: the tasks of one node, what they have started, and what each of them may do.
//
// Model    a rank is a task that was begun here; every process that comes from one is a task too.
//          The kernel makes it without asking, so its capabilities are those of a child of its
//          parent, as the parent has them when the child is first looked at; a change of the
//          parent's looks at all children first, so it is no change of theirs. A process whose
//          parent is gone is taken for a child of its session's rank.
// Threads  owned by the reactor's thread.
// Blocks   for a look into /proc: some microseconds a process.
// Source   docs/design/capability.md; Kerrighed kerrighed/capabilities
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "krg/capability/capability.h"
#include "krg/error/result.h"
#include "krg/proc/process.h"

namespace krg::tasks {

using capability::Capability;
using capability::Set;
using capability::Sets;

// Where processes are looked up; a test has its own.
class Processes {
 public:
  virtual ~Processes();
  virtual std::optional<proc::Process> find(pid_t pid) const = 0;
  virtual std::vector<proc::Process> all() const = 0;
};
// Those of this machine.
class MachineProcesses final : public Processes {
 public:
  std::optional<proc::Process> find(pid_t pid) const override { return proc::read_process(pid); }
  std::vector<proc::Process> all() const override { return proc::all_processes(); }
};

class Table {
 public:
  // `reaper`: the process that gets the orphans among the tasks; this one.
  Table(const Processes& processes, pid_t reaper) noexcept
      : processes_(processes), reaper_(reaper) {}
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;

  // A rank has been started, or a task has come from elsewhere, with these sets.
  void begin(pid_t pid, const Sets& sets);

  // The task, if `pid` is one of this node.
  std::optional<proc::Process> find(pid_t pid);
  std::vector<proc::Process> all();

  // Errors  not_found  no task of this node.
  Result<Sets> sets_of(pid_t pid);
  // What it has then. Errors: not_found; as capability::change().
  Result<Sets> change(pid_t pid, const Sets& wanted);

  // Whether `what` is effective and not disabled. A process that is no task may nothing.
  bool can_use(pid_t pid, Capability what);
  // From hold() to release() `what` is in use: it can not be taken away. They nest.
  // Errors  not_found; denied  it may not be used.
  Status hold(pid_t pid, Capability what);
  void release(pid_t pid, Capability what) noexcept;
  // From disable() to enable() it may not be used, whatever its sets say. They nest.
  // Errors  not_found
  Status disable(pid_t pid, Capability what);
  void enable(pid_t pid, Capability what) noexcept;

  // Processes of which something is known; for tests.
  std::size_t size() const noexcept { return records_.size(); }

 private:
  struct Record {
    std::uint64_t start = 0;
    Sets sets;
    std::array<std::uint16_t, capability::kCapabilities> held{};
    std::array<std::uint16_t, capability::kCapabilities> disabled{};
  };

  Record* look(pid_t pid);
  Record* record_of(const proc::Process& process, const Processes& among, int generations);
  Record* known(pid_t pid) noexcept;
  void prune();

  const Processes& processes_;
  const pid_t reaper_;
  std::unordered_map<pid_t, Record> records_;
  std::size_t prune_at_ = 256;
};

}  // namespace krg::tasks

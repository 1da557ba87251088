// task_waits.h: the waits and wake-ups of a node's tasks.
//
// Model    serves the calls of krg/sync_calls. What a task was woken for is kept by key until it
//          ends: it may have been killed before it could act on that, so then others are woken.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/sync.md, "Waiting"
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <map>
#include <memory>
#include <unordered_map>

#include "krg/base/unique_fd.h"
#include "krg/gate/server.h"
#include "krg/reactor/reactor.h"
#include "krg/sync/sync.h"

namespace krg::sync {

class TaskWaits {
 public:
  TaskWaits(reactor::Reactor& reactor, gate::Server& gate, Sync& sync);
  TaskWaits(const TaskWaits&) = delete;
  TaskWaits& operator=(const TaskWaits&) = delete;
  ~TaskWaits();

 private:
  struct Waits {
    std::uint32_t now = 0;
    std::uint32_t most = 0;  // At one time; so many wake-ups may not have been acted on.
    bool woken = false;
  };
  struct Task;
  struct Stay;

  void serve(gate::Server& gate);
  Result<std::shared_ptr<Task>> task_of(const gate::Call& call);
  void ended(pid_t pid) noexcept;
  Waits& waits_of(Task& task, const Key& key);
  Co<Result<wire::Empty>> wait(gate::Call& call, calls::Wait::Request request);

  reactor::Reactor& reactor_;
  Sync& sync_;
  std::unordered_map<pid_t, std::shared_ptr<Task>> tasks_;  // That have waited.
};

}  // namespace krg::sync

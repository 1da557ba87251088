// deputy.h: what stays of a process where it was started, for those who know it there.
//
// Model    the emptied process sleeps in pause(2). It keeps its pid, parent, group and session; a
//          signal for it is taken before it is delivered, and handed on; in the end it exits as the
//          task did, and whoever waits for it learns that. If it is killed, so is the task.
// Threads  owned by one thread, the tracer.
// Blocks   as tracee.h.
// Source   docs/design/epm.md, "The deputy"; ptrace(2), "Signal-delivery-stop"
#pragma once

#include <functional>
#include <optional>

#include "frozen.h"
#include "krg/error/result.h"

namespace krg::epm {

class Deputy {
 public:
  struct Events {
    std::function<void(const SignalInfo&, bool to_leader)> signal;
    std::function<void()> gone;
  };

  Deputy(pid_t pid, Events events) : pid_(pid), events_(std::move(events)) {}

  // Empties the process and lets it sleep. Errors: those of Frozen::empty().
  Status begin(Frozen& frozen);
  bool begun() const noexcept { return gadget_ != 0; }
  // Some child or tracee of ours has changed its state. Without begin(): it may have been killed.
  void look();
  // Makes it end as the task has, by a status of wait(2).
  void end(int status);
  bool gone() const noexcept { return gone_; }

 private:
  void on_stop(int status);

  const pid_t pid_;
  const Events events_;
  Registers registers_{};
  std::uint64_t gadget_ = 0;
  std::optional<int> last_;  // The signal that it is to die of.
  bool gone_ = false;
};

}  // namespace krg::epm

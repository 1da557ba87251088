// cohorts.h: tasks of a node that hand a lock around while krgd has somebody else to serve.
//
// Model    a lock that tasks of this node fight for (they sleep for it) stays open to them for a
//          window when somebody else waits for it: another node, or a task that has slept too
//          long. For the protocol that is one long lease. Then it is closed, until those
//          who have asked before it were served; with each of them that is a task of this node a
//          new window begins. So a node keeps a lock from another one for at most a window for
//          each of its tasks that have asked krgd before that one, and one more; and for the lease
//          that runs at the end of each.
// Threads  the reactor's thread.
// Blocks   never.
// Source   Dice, Marathe and Shavit, "Lock Cohorting", PPoPP 2012; docs/decisions/0017
#pragma once

#include <functional>
#include <unordered_map>
#include <vector>

#include "krg/reactor/reactor.h"
#include "krg/share/types.h"

namespace krg::kddm {

class Cohorts final : private reactor::Timer {
 public:
  static constexpr Duration kWindow = std::chrono::milliseconds(1);
  // The slot's window is over: it is to be looked at.
  using Over = std::function<void(SlotId)>;

  Cohorts(reactor::Reactor& reactor, Over over) : reactor_(reactor), over_(std::move(over)) {}
  Cohorts(const Cohorts&) = delete;
  Cohorts& operator=(const Cohorts&) = delete;

  // Whether the window is open, or may begin.
  bool is_open(SlotId slot) const noexcept {
    const auto at = windows_.find(slot.value);
    return at == windows_.end() || !at->second.over;
  }
  // The same; begins it, if it has not begun.
  bool may_go_on(SlotId slot);
  // Nobody waits any more, or one who has waited is served: the next window may begin.
  void served(SlotId slot) noexcept {
    if (!windows_.empty()) windows_.erase(slot.value);
  }

 private:
  struct Window {
    TimePoint end;
    bool over = false;
  };

  void on_timer() noexcept override;

  reactor::Reactor& reactor_;
  const Over over_;
  std::unordered_map<std::uint32_t, Window> windows_;  // By slot; of locks that are fought for.
};

}  // namespace krg::kddm

// states.h: what changes of a region while it is used: its size, and whether it may be written.
//
// Model    the state is an object of KDDM with three copies, so changes of one region come one
//          after the other, and it outlives the node that made them. Who changes it holds that
//          object until all nodes have taken the new state over: from then on nobody has anything
//          behind a new end, and nobody writes what is read-only. Tasks hear of it by a call that
//          waits.
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends, until the deadline.
// Source   docs/design/mm.md, "What changes"
#pragma once

#include "bulk.h"
#include "krg/gate/server.h"
#include "krg/reactor/event.h"
#include "pager.h"

namespace krg::mm {

class States {
 public:
  States(Pager& pager, Releases& releases) noexcept
      : pager_(pager), releases_(releases), changed_(pager.reactor()), heard_(pager.reactor()) {}

  void serve(gate::Server& gate);
  void join(const Peers& peers);
  // Before a task of this node uses the region: what the state is now.
  // Errors  those of Kddm::get()
  Co<Status> learn(kddm::SetId set, Deadline deadline);
  // The region was destroyed.
  Co<void> forget(kddm::SetId set, Deadline deadline);

 private:
  Co<Result<RegionState>> change(gate::Call& call, calls::Change::Request request);
  Co<Result<calls::Watch::Reply>> watch(gate::Call& call, calls::Watch::Request request);
  // Of another node's change: whatever of the region is behind its new end goes.
  Co<Result<wire::Empty>> take(calls::Watch::Changed news);
  Co<Status> tell_others(const calls::Watch::Changed& news, Deadline deadline);
  void apply(Region& region, const RegionState& state);
  // Until the tasks of this node that have attached it have taken the change over as well; of one
  // that does not answer, because it is stopped or about to end, not for long.
  Co<void> await_tasks(kddm::SetId set);
  void prune();

  Pager& pager_;
  Releases& releases_;
  Peers peers_;
  reactor::Event changed_;
  reactor::Event heard_;       // Some task has.
  std::uint64_t changes_ = 0;  // So many there were.
  std::unordered_map<kddm::SetId, std::uint64_t> changed_at_;
  std::unordered_map<pid_t, std::uint64_t> seen_;  // Up to which change a process has.
};

}  // namespace krg::mm

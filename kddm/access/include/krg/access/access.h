// access/access.h: krgd's side of the shared objects that its tasks use.
//
// Model    serves the calls of krg/calls at the gate. The store is made when the first task
//          attaches. A task has its place in it until its process has ended; then all its leases
//          end, within a turn of the reactor.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Tasks"
#pragma once

#include <functional>
#include <memory>

#include "krg/gate/server.h"
#include "krg/kddm/kddm.h"
#include "krg/reactor/reactor.h"
#include "krg/share/node_store.h"

namespace krg::kddm {

class TaskAccess {
 public:
  // The Kddm's store, made now if there is none. Called when a task attaches.
  using MakeStore = std::function<Result<NodeStore*>()>;

  // Requires  all outlive this, but for the gate: its sessions end before.
  TaskAccess(reactor::Reactor& reactor, gate::Server& gate, Kddm& kddm, MakeStore make_store);
  TaskAccess(const TaskAccess&) = delete;
  TaskAccess& operator=(const TaskAccess&) = delete;
  ~TaskAccess();

  // That have attached, and live.
  std::size_t tasks() const noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::kddm

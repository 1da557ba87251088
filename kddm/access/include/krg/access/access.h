// access/access.h: krgd's side of the shared objects that its tasks use.
//
// Model    serves the calls of krg/calls at the gate. The store is made when the first task
//          attaches. A task has its place in it until its process has ended; then all its leases
//          end, within a turn of the reactor.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Tasks"
#pragma once

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "krg/gate/server.h"
#include "krg/kddm/kddm.h"
#include "krg/reactor/reactor.h"
#include "krg/share/node_store.h"

namespace krg::kddm {

// A lease that a task has, or waits for, of an object of a set with SetFlag::locks.
struct LockUse {
  static constexpr std::size_t kFront = 16;

  pid_t pid = 0;
  pid_t thread = 0;  // Of who waits; 0: not known.
  SetId set;
  ObjectId object;
  LeaseKind kind = LeaseKind::read;
  // Of a wait; 0: the task has it.
  std::uint64_t wait = 0;  // Never the same twice.
  TimePoint since{};
  // Of what the task has: the first bytes of the object, as the task may be writing them.
  std::array<std::byte, kFront> front{};
};

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
  // Of this node's tasks. Cost: their lease tables
  std::vector<LockUse> lock_uses() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::kddm

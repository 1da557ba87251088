// mm/memory.h: a node's part in the memory that the cluster shares: regions, for its tasks.
//
// Model    a region is named memory that tasks on all nodes map, at the same address if they can,
//          and use with plain loads and stores. krgd serves their page faults. Sequentially
//          consistent: a page has one writer or many readers in the cluster.
// Threads  the reactor's thread.
// Blocks   never.
// Source   Kerrighed mm; docs/design/mm.md
#pragma once

#include <sys/types.h>

#include <chrono>
#include <functional>
#include <memory>
#include <vector>

#include "krg/base/ids.h"
#include "krg/cluster/view_listener.h"
#include "krg/gate/server.h"
#include "krg/kddm/kddm.h"
#include "krg/reactor/reactor.h"
#include "krg/rpc/rpc.h"
#include "krg/store/linker.h"

namespace krg::mm {

class Memory {
 public:
  // `patience`: how long a task waits for a page that no node has room for; then it gets SIGBUS.
  Memory(reactor::Reactor& reactor, NodeId self, Duration patience = std::chrono::seconds(30));
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  // Requires  the Kddm is gone.
  ~Memory();

  // What makes sets into regions; to be added to the node's Kddm before it enters a view.
  kddm::Linker& linker() noexcept;
  // How it reaches the cluster's other nodes; `all` says which there are, this one among them.
  // Requires  once, before open(); `rpc` outlives what this serves there.
  void join(rpc::Rpc& rpc, std::function<std::vector<NodeId>()> all);
  // Serves the tasks of `gate`. Requires  once; the Kddm has the linker.
  void open(gate::Server& gate, kddm::Kddm& kddm);
  // Asked when a task makes a region: whether its pages may leave a node that is full. Without this
  // the task says so itself, and it may say no in any case.
  void set_may_leave(std::function<bool(pid_t)> may_leave);
  // What is to hear of changes of the view, of this node's services before the Kddm's prepare().
  cluster::ViewListener& listener() noexcept;
  // Serves nobody any more. Requires  the reactor's coroutines have been cancelled.
  void stop() noexcept;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::mm

// sync/sync.h: a node's part in waiting for others: queues at the homes of what is waited for.
//
// Model    prepare() takes a ticket; wait() with it returns when the key was woken after that. Who
//          waits may be let through without a reason, and looks at its state again; a new view lets
//          everybody through. A wake-up that whoever was to have it does not take, because it has
//          given up or died, goes to the next one: none is lost.
// Threads  the reactor's thread.
// Blocks   never; it suspends, until the deadline.
// Source   docs/design/sync.md, "Waiting"; docs/decisions/0012-waits-are-event-counts.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "krg/access/access.h"
#include "krg/cluster/view_listener.h"
#include "krg/gate/server.h"
#include "krg/kddm/kddm.h"
#include "krg/reactor/co.h"
#include "krg/rpc/rpc.h"
#include "krg/sync_calls/calls.h"

namespace krg::sync {

class Sync final : public cluster::ViewListener {
 public:
  // Serves at `rpc`. Requires  both outlive this.
  Sync(rpc::Rpc& rpc, kddm::Kddm& kddm);
  Sync(const Sync&) = delete;
  Sync& operator=(const Sync&) = delete;
  // Requires  the reactor's coroutines have been cancelled.
  ~Sync() override;

  // Serves the tasks of `gate`, and tells other nodes what locks they have. Requires  once; its
  // sessions end before this does, and `access`, if any, outlives this.
  void open(gate::Server& gate, const kddm::TaskAccess* access = nullptr);

  // Cost    a call to the key's home.
  // Errors  timed_out and others  the home was not reached; those of kddm::Kddm::home_of()
  Co<Result<Ticket>> prepare(Key key, Deadline deadline);
  // Errors  timed_out  the wake-up, if there was one, has gone to another; those of home_of()
  Co<Status> wait(Key key, Ticket ticket, std::uint32_t bits, Deadline deadline);
  // How many of those who wait are being woken. Returns before they run.
  // Errors  as prepare(); some may have been woken
  Co<Result<std::uint32_t>> wake(Key key, std::uint32_t count, std::uint32_t bits,
                                 Deadline deadline);
  // Until `request.parties` have come to the key, of all nodes.
  // Cost    one message to the key's home and one from it, for each node of those who come.
  // Errors  timed_out  it has not come; invalid_argument; those of home_of()
  Co<Result<calls::Meet::Reply>> meet(calls::Meet::Request request, Deadline deadline);
  // Messages, to this node itself too, that said who has come.
  std::uint64_t notices() const noexcept;
  // Who has been woken can not act on it: `count` others are, within a minute or not at all.
  void pass_on(const Key& key, std::uint32_t count);

  // Of this node.
  std::size_t waiting() const noexcept;
  // Of this node, who have come to a meeting and have not gone on.
  std::size_t meeting() const noexcept;
  // At this node, by nodes that may have given up by now.
  std::size_t queued(const Key& key) const noexcept;

  // The Kddm may have entered another view.
  void look_at_view();
  // --- ViewListener
  const char* name() const noexcept override { return "sync"; }
  Co<Status> prepare(const cluster::ViewChange&, Deadline) override { co_return Status(); }
  void commit(const cluster::ViewChange&) noexcept override;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
  std::unique_ptr<class Meetings> meetings_;
  std::unique_ptr<class TaskWaits> tasks_;
};

}  // namespace krg::sync

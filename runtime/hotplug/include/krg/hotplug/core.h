// hotplug/core.h: membership of one node, without its reactor.
//
// Model    pure: messages, datagrams, instants and requests come in; messages, and what the owner
//          is to do, go out by CoreSink. Voters agree on the roster by a log; all others follow it.
//          A node may serve shared state only while serving() says so: it then is a member, knows
//          the view under which its lease was given, and the lease has not ended. Everything that
//          is sent may be lost, repeated or late.
// Threads  the reactor's thread. CoreSink is called from within Core and must not call it back,
//          but for prepared().
// Blocks   never.
// Source   docs/design/hotplug.md
#pragma once

#include <memory>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/cluster/view.h"
#include "krg/detector/datagram_port.h"
#include "krg/error/result.h"
#include "krg/hotplug/options.h"
#include "krg/hotplug/roster.h"

namespace krg::hotplug {

class CoreSink {
 public:
  // Best effort; order does not matter.
  virtual void send(NodeId to, wire::Bytes message) = 0;
  // Where a node is, before anything is sent to it; called again when that changes.
  virtual void reach(const cluster::Member& member) = 0;
  // Bring this node to where `after` can hold, then call Core::prepared(round). Once at a time.
  virtual void prepare(std::uint64_t round, const cluster::View& before, const cluster::View& after,
                       const cluster::NodeSet& leaving, Duration limit) = 0;
  // The round that was begun will not happen.
  virtual void abort(std::uint64_t round) = 0;
  // The view is agreed. `round`: the prepare that it ends; 0: it was not prepared, since nobody
  // could refuse it.
  virtual void install(std::uint64_t round, const cluster::View& before, const cluster::View& after,
                       const cluster::NodeSet& leaving) = 0;
  // `member` asks to be let in. Told to those who hear of it as it is agreed.
  virtual void present(const cluster::Member& member) { static_cast<void>(member); }
  // Ends this life: left (ok), excluded (stale), or not let in (cancelled, already_exists, stale).
  virtual void over(Errc why) = 0;
  // A leave that was asked for here has ended: ok, or cancelled.
  virtual void leave_ended(const Peer& peer, Errc how) = 0;
  virtual std::uint64_t random() = 0;

 protected:
  ~CoreSink() = default;
};

class Core {
 public:
  Core(const cluster::Member& self, const Options& options, detector::DatagramPort& datagrams,
       CoreSink& sink, TimePoint now);
  ~Core();

  // Begins as a member of the first view, the same everywhere.
  // Requires  self is in `view`; once, and not join().
  Status found(const cluster::View& view, TimePoint now);
  // Asks to be elected at once, not after an election timeout.
  // Requires  found() was just called, and on one node only: the coordinator that the view names.
  void stand(TimePoint now);
  // Begins outside: asks `contacts`, members, to be let in, until it is, or until over().
  Status join(const std::vector<cluster::Member>& contacts, TimePoint now);
  // Asks that `peer`, or this node, leave; leave_ended() tells how that went.
  void leave(const Peer& peer, TimePoint now);
  // A connection to that life of a node has ended, other than by its leaving.
  void fabric_down(const Peer& peer, TimePoint now);

  void on_message(wire::Bytes message, TimePoint now);
  void on_datagram(wire::Bytes datagram, TimePoint now);
  void on_refused(NodeId node, TimePoint now);
  void prepared(std::uint64_t round, Status how, TimePoint now);
  void on_timer(TimePoint now);
  TimePoint next() const noexcept;

  // Errors  no_quorum      the lease has ended: this side may be a minority
  //         shutting_down  this node has drained, and leaves
  //         stale          this life is over
  //         not_connected  not yet a member
  Status serving(TimePoint now) const noexcept;
  TimePoint lease_until() const noexcept;
  const Roster& roster() const noexcept;
  bool is_coordinator() const noexcept;
  std::vector<NodeId> voters() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::hotplug

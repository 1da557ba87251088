// hotplug/membership.h: a node's part in its cluster, on its reactor. What krgd owns.
//
// Model    keeps the roster agreed and this node's lease renewed, and takes the node's services
//          through every change of the view: prepare, then commit or abort, one change after the
//          other. Listeners are added bottom up; what joins goes that way, what leaves or has
//          failed the other. A failure can not be refused: it is prepared when it is already
//          agreed, and then committed whatever prepare says.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/hotplug.md; Kerrighed's hotplug notifiers
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "krg/cluster/view_listener.h"
#include "krg/hotplug/core.h"
#include "krg/hotplug/message_port.h"
#include "krg/reactor/event.h"
#include "krg/reactor/reactor.h"

namespace krg::hotplug {

// One thing that happened to one node, for `krgadm events`.
struct NodeEvent {
  Epoch epoch;
  Peer peer;
  std::string host;
  cluster::NodeState state = cluster::NodeState::possible;
  cluster::Failure why = cluster::Failure::none;  // It has failed.
};

class Membership final : public detector::DatagramSink, private CoreSink, private reactor::Timer {
 public:
  // Both ports outlive this; what they receive goes to receive() and to the DatagramSink.
  // `seed` decides elections and heartbeats' phases: any number, another one in each node.
  Membership(reactor::Reactor& reactor, const cluster::Member& self, const Options& options,
             MessagePort& messages, detector::DatagramPort& datagrams, std::uint64_t seed);
  Membership(const Membership&) = delete;
  Membership& operator=(const Membership&) = delete;
  // Requires  the reactor's coroutines have been cancelled, or will not run again.
  ~Membership() override;

  // Requires  before found() and join(), or in the turn of found().
  void add_listener(cluster::ViewListener& listener) { listeners_.push_back(&listener); }
  void on_event(std::function<void(const NodeEvent&)> handler) { handlers_.push_back(handler); }

  // This life has ended: left (ok), excluded (stale), or not let in.
  void on_over(std::function<void(Errc)> handler) { on_over_ = std::move(handler); }

  // The first view, the same everywhere. Errors  invalid_argument, protocol_error
  Status found(const cluster::View& view);
  // Asks to be elected at once; see Core::stand().
  void stand();
  // Returns when this node is a member and its services have committed a view with it.
  // Errors  timed_out; cancelled  some node could not prepare; stale  the id has a later life
  Co<Status> join(std::vector<cluster::Member> contacts, Deadline deadline);
  // Drains a node, this one or another, and takes it out.
  // Errors  timed_out  it goes on all the same; cancelled  it could not be drained, and stays
  Co<Status> leave(Peer peer, Deadline deadline);

  // Neither speaks nor listens any more: the process is about to end.
  void stop() noexcept;

  void receive(wire::Bytes message);
  // The fabric says that the connection to that life has ended.
  void peer_down(const Peer& peer);

  // Whether shared state may be served at this instant; see Core::serving(). Cost: some loads.
  Status serving() const noexcept { return core_.serving(reactor_.now()); }
  TimePoint lease_until() const noexcept { return core_.lease_until(); }
  const Roster& roster() const noexcept { return core_.roster(); }
  bool is_coordinator() const noexcept { return core_.is_coordinator(); }
  // Who decides, as far as is known here.
  std::vector<NodeId> voters() const { return core_.voters(); }
  // The view that the services have committed; that of roster() may be later.
  const cluster::View& view() const noexcept { return view_; }
  // This life has ended: left, excluded or not let in.
  bool over() const noexcept { return over_; }
  Errc why_over() const noexcept { return why_over_; }

  // DatagramSink
  void on_datagram(wire::Bytes datagram) noexcept override;
  void on_refused(NodeId node) noexcept override;

 private:
  enum class Step : std::uint8_t { prepare, abort, install };
  struct Work {
    Step step = Step::prepare;
    std::uint64_t round = 0;
    cluster::View before, after;
    cluster::NodeSet leaving;
    Duration limit{0};
  };

  class Preparing;

  // CoreSink
  void send(NodeId to, wire::Bytes message) override {
    if (!stopped_) messages_.send(to, message);
  }
  void reach(const cluster::Member& member) override { messages_.reach(member); }
  void prepare(std::uint64_t round, const cluster::View& before, const cluster::View& after,
               const cluster::NodeSet& leaving, Duration limit) override;
  void abort(std::uint64_t round) override;
  void install(std::uint64_t round, const cluster::View& before, const cluster::View& after,
               const cluster::NodeSet& leaving) override;
  void present(const cluster::Member& member) override;
  void over(Errc why) override;
  void leave_ended(const Peer& peer, Errc how) override;
  std::uint64_t random() override;

  void on_timer() noexcept override;
  void arm() noexcept;
  Co<void> work();
  Co<Status> prepare_all(const Work& work);
  void abort_prepared(const Work& work) noexcept;
  void tell(const cluster::Member& member, cluster::NodeState state, Epoch epoch);
  void tell(const cluster::ViewChange& change);
  cluster::ViewListener& listener(std::size_t i, const cluster::ViewChange& change) const noexcept;

  reactor::Reactor& reactor_;
  const cluster::Member self_;
  const Options options_;
  MessagePort& messages_;
  std::uint64_t random_state_;
  std::vector<cluster::ViewListener*> listeners_;
  std::vector<std::function<void(const NodeEvent&)>> handlers_;
  std::deque<Work> queue_;
  bool working_ = false;
  Work open_;                 // A prepare that was neither committed nor undone.
  std::size_t prepared_ = 0;  // Listeners that have prepared the round under way, or were about to.
  Preparing* preparing_ = nullptr;  // The listener of a round that is at it.
  std::uint64_t aborted_ = 0;       // The latest round that was.
  cluster::View view_;
  std::function<void(Errc)> on_over_;
  bool stopped_ = false;
  bool over_ = false;
  Errc why_over_ = Errc::ok;
  struct Ended {
    Peer peer;
    Errc how;
  };
  std::vector<Ended> ended_;
  reactor::Event changed_;  // Pulsed: whoever waits looks again.
  Core core_;
};

}  // namespace krg::hotplug

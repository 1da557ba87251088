// Core's inside. Its parts: core.cpp (messages, the roster), leases.cpp, rounds.cpp, requests.cpp
// (join, leave), lead.cpp (what only the coordinator does).
#pragma once

#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "krg/agreement/log.h"
#include "krg/detector/detector.h"
#include "krg/detector/verdicts.h"
#include "krg/hotplug/core.h"
#include "messages.h"
#include "tree.h"

namespace krg::hotplug {

class Core::Impl final : private detector::AccusationSink, private agreement::LogSink {
 public:
  Impl(const cluster::Member& self, const Options& options, detector::DatagramPort& datagrams,
       CoreSink& sink, TimePoint now);

  Status found(const cluster::View& view, TimePoint now);
  void stand(TimePoint now);
  Status join(const std::vector<cluster::Member>& contacts, TimePoint now);
  void leave(const Peer& peer, TimePoint now);
  void fabric_down(const Peer& peer, TimePoint now);
  void on_message(wire::Bytes bytes, TimePoint now);
  void on_datagram(wire::Bytes datagram, TimePoint now);
  void on_refused(NodeId node, TimePoint now);
  void prepared(std::uint64_t round, Status how, TimePoint now);
  void on_timer(TimePoint now);
  TimePoint next() const noexcept { return std::min(next_tick_, detector_.next()); }
  Status serving(TimePoint now) const noexcept;

  const Roster& roster() const noexcept { return roster_; }
  TimePoint lease_until() const noexcept { return lease_until_; }
  // Not one that has only not heard yet that another leads.
  bool leads() const noexcept {
    return log_.is_leader() && confirmed_term_ == log_.term() && key_.term <= log_.term();
  }
  std::vector<NodeId> voters() const;

 private:
  // core.cpp
  template <class Body>
  void send(Kind kind, NodeId to, Incarnation life, const Body& body);
  template <class Body>
  void send_to(Kind kind, NodeId member, const Body& body);
  bool acceptable(const Header& header) const noexcept;
  void dispatch(const Header& header, wire::Decoder& in);
  Update update_from(std::uint64_t version) const;
  void take(const Update& update);
  void take_command(const Command& command);
  void roster_changed(const Command* command, const cluster::View& before);
  void view_changed();
  void push(NodeId to, std::uint64_t version);
  void end(Errc why);
  bool is_idle() const;
  void wake();

  // agreement::LogSink
  void send(agreement::ServerId to, wire::Bytes message) override;
  void apply(wire::Bytes command) override;
  std::uint64_t random() override { return sink_.random(); }
  // detector::AccusationSink
  void accuse(const Peer& subject, detector::Evidence evidence) noexcept override;

  // leases.cpp
  bool notice(const Key& key, std::uint64_t round, const std::vector<Peer>& excluded);
  bool is_excluded(const Peer& peer) const noexcept;
  void renew();
  void ask_for_lease();
  NodeId next_granter();
  void on_lease_request(const Peer& from, const LeaseRequest& request);
  void on_lease_grant(const LeaseGrant& grant);

  // rounds.cpp
  struct Round {
    std::uint64_t id = 0;
    Key key;
    std::uint64_t version = 0;
    Command command;
    NodeId parent = kNoNode;
    std::set<NodeId> waiting;  // Children that have not answered.
    bool ready = false;        // This node's own part.
    bool told = false;
    Errc failed = Errc::ok;
    bool removes_self = false;
  };
  void on_prepare(const Peer& from, const Prepare& prepare);
  void on_prepared(const Peer& from, const Prepared& prepared);
  void begin_round(const Prepare& prepare, NodeId parent);
  void forward_round(Duration limit);
  void drop_round();
  void answer_round();
  static cluster::NodeSet leavers(const Command& command);

  // requests.cpp
  void press_requests();
  void on_join(const JoinRequest& request);
  void on_leave(const LeaveRequest& request);
  void take_join(const cluster::Member& member);

  // lead.cpp
  struct Exclusion {
    TimePoint since;
    bool proven = false;
    bool replaced = false;  // A later life has knocked.
    bool proposed = false;  // Its failure may be agreed at any moment: no way back.
  };
  void lead();
  void succeed();
  void begin_leading();
  void publish();
  void weigh();
  bool propose(std::vector<Change> changes, std::uint64_t round);
  bool propose_failures();
  bool can_do_without(const Peer& peer) const;
  bool propose_requests();
  void tend_round();
  void start_round();
  void fail_round();
  void tend_voters();
  bool drop_voter(const std::vector<agreement::Server>& servers, std::size_t good,
                  std::size_t target);
  void resign();
  void on_succeed(const Peer& from, const Succeed& succeed);
  bool is_server(const Peer& peer) const;
  std::size_t wanted_voters() const;
  void on_report(NodeId from, const Report& report);
  static Peer peer_of(agreement::ServerId server) noexcept {
    return {agreement::node_of(server), agreement::incarnation_of(server)};
  }

  const cluster::Member self_;
  const Peer me_;
  const Options options_;
  CoreSink& sink_;
  TimePoint now_;
  detector::Detector detector_;
  agreement::Log log_;
  TimePoint next_tick_;

  // What is agreed.
  Roster roster_;
  std::uint64_t log_version_ =
      1;                         // Commands of the log that were applied here, and the first view.
  std::deque<Command> history_;  // The latest: those that led to roster_.version.
  Tree tree_;
  std::shared_ptr<const detector::Rings> rings_;
  bool over_ = false;

  // The lease, and what came with it.
  TimePoint lease_until_{};
  Key key_;
  std::uint64_t key_round_ = 0;
  std::vector<Peer> excluded_;
  std::int64_t asked_stamp_ = -1;  // Of the request without an answer; -1 = none.
  TimePoint next_ask_{};
  unsigned unanswered_ = 0;

  std::optional<Round> round_;

  // What was asked for here.
  std::vector<cluster::Member> contacts_;  // While joining.
  struct Leaving {
    Peer peer;
    std::uint32_t cancelled_leaves = 0;
  };
  std::vector<Leaving> leaving_;
  std::set<Peer> ended_;  // Whose end this node has seen, until the view shows it.
  TimePoint next_press_{};

  // As the coordinator.
  std::uint64_t leading_term_ = 0, confirmed_term_ = 0, serial_ = 0;
  bool in_flight_ = false;
  std::uint64_t restated_term_ = 0;
  std::vector<std::byte> restate_;  // Goes with the next command.
  TimePoint leading_since_{}, resigned_at_{};
  detector::Verdicts verdicts_;
  std::map<Peer, Exclusion> exclusions_;
  std::uint64_t generation_ = 0;
  std::map<Peer, std::pair<cluster::Member, TimePoint>> knocking_;  // When they last asked to join.
  std::map<Peer, std::uint32_t> leave_wanted_;
  std::map<Peer, unsigned> failures_;  // Rounds that failed for a joiner or a leaver.
  std::uint64_t succeeding_term_ = 0;  // In which the leader was seen to have ended, and when.
  TimePoint succeeding_since_{};
  TimePoint round_deadline_{}, next_forward_{}, next_voter_change_{};
  TimePoint
      drop_wanted_{};  // Since when a voter is to be let go, or was asked for again; 0 = none.
};

}  // namespace krg::hotplug

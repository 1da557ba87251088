// What only the coordinator does: weighs accusations, makes commands, tends rounds and voters.
#include <algorithm>

#include "core_impl.h"
#include "krg/log/log.h"
#include "send.h"

namespace krg::hotplug {

using agreement::Role;
using cluster::NodeState;

namespace {

constexpr Duration kKnockLife = std::chrono::milliseconds(1500);
constexpr Duration kPresentLife = std::chrono::seconds(10);
constexpr Duration kResign = std::chrono::seconds(1);
constexpr Duration kSuccession = std::chrono::milliseconds(60);
constexpr Duration kVoterPause = std::chrono::milliseconds(200);

}  // namespace

void Core::Impl::lead() {
  if (over_) return;
  if (!log_.is_leader() || key_.term > log_.term()) {
    leading_term_ = 0;
    in_flight_ = false;
    return succeed();
  }
  if (leading_term_ != log_.term()) begin_leading();
  if (!leads()) {
    if (!in_flight_) propose({{ChangeKind::coordinate, me_, {}}}, 0);
    if (!leads()) return;
  }
  if (key_.term != log_.term()) {
    drop_round();
    publish();
    for (const Peer& peer : ended_) on_report(me_.node, {peer, detector::Evidence::ended});
  }
  // What confirmed us may have been made for another epoch, and then said nothing.
  if (!in_flight_ && roster_.coordinator != me_.node) {
    propose({{ChangeKind::coordinate, me_, {}}}, 0);
  }
  weigh();
  if (!in_flight_ && !propose_failures()) propose_requests();
  if (!over_) tend_round();
  if (!over_) tend_voters();
}

// The leader has ended: one of the other voters asks to be elected at once, in the order of their
// ids, each a little later than the one before.
void Core::Impl::succeed() {
  const Peer leader = peer_of(log_.leader());
  if (log_.leader() == agreement::ServerId{} || ended_.count(leader) == 0) return;
  if (succeeding_term_ != log_.term()) {
    succeeding_term_ = log_.term();
    succeeding_since_ = now_;
  }
  Duration wait{0};
  for (const agreement::Server& server : log_.servers()) {
    const Peer peer = peer_of(server.id);
    if (server.role != Role::voter || peer == leader || ended_.count(peer) != 0) continue;
    if (peer.node < me_.node) wait += kSuccession;
  }
  if (now_ >= succeeding_since_ + wait) log_.take_over(now_);
}

void Core::Impl::begin_leading() {
  leading_term_ = log_.term();
  leading_since_ = resigned_at_ = now_;
  in_flight_ = false;
  generation_ = 0;
  drop_wanted_ = TimePoint{};
  exclusions_.clear();
  verdicts_.clear();
  knocking_.clear();
  leave_wanted_.clear();
  failures_.clear();
}

// From now on, what is granted says who is excluded and what is prepared.
void Core::Impl::publish() {
  key_ = {log_.term(), ++generation_};
  key_round_ = round_ ? round_->id : 0;
  excluded_.clear();
  for (const auto& [peer, exclusion] : exclusions_) excluded_.push_back(peer);
}

bool Core::Impl::propose(std::vector<Change> changes, std::uint64_t round) {
  const Command command{
      roster_.epoch, me_, ++serial_, round, std::move(changes), std::exchange(restate_, {})};
  in_flight_ = true;  // Before: a lone voter applies it at once.
  const std::vector<std::byte> bytes = wire::encode(command);
  if (log_.propose(bytes, now_)) return true;
  in_flight_ = false;
  return false;
}

// --- Who is out
// ------------------------------------------------------------------------------------

void Core::Impl::on_report(NodeId from, const Report& report) {
  if (!leads()) return;
  next_tick_ = std::min(next_tick_, now_);  // To weigh it.
  if (!verdicts_.report(from, report.subject, report.evidence, now_)) return;
  for (const NodeId observer : rings_->observers_of(report.subject.node)) {
    send_to(Kind::probe, observer, Probe{report.subject});
  }
  detector_.probe(report.subject, now_);
}

void Core::Impl::weigh() {
  bool changed = false;
  std::set<Peer> accused;
  for (const detector::Verdict& verdict : verdicts_.decide(now_)) {
    if (verdict.subject == me_) continue;
    accused.insert(verdict.subject);
    const auto [at, fresh] = exclusions_.try_emplace(verdict.subject, Exclusion{now_});
    changed |= fresh;
    if (verdict.evidence == detector::Evidence::ended) at->second.proven = true;
  }
  for (auto at = exclusions_.begin(); at != exclusions_.end();) {
    const Exclusion& exclusion = at->second;
    const bool stands = exclusion.proven || exclusion.replaced || exclusion.proposed ||
                        accused.count(at->first) != 0;
    changed |= !stands;
    at = stands ? std::next(at) : exclusions_.erase(at);
  }
  if (changed) publish();
}

// One that has ended goes at once; of one that is silent, the last lease it may hold ends first.
bool Core::Impl::propose_failures() {
  const Duration wait = options_.lease + options_.lease / 500 + std::chrono::milliseconds(5);
  // A leader before us that was deposed, not silent, may have gone on for so long.
  const TimePoint sole = leading_since_ + options_.log.election;
  std::vector<Change> changes;
  for (auto& [peer, exclusion] : exclusions_) {
    // It would become a voter when it is back, that is needed and out of the cluster.
    log_.cancel_promotion(agreement::server_of(peer.node, peer.incarnation));
    if (exclusion.proven ||
        (now_ >= std::max(exclusion.since, sole) + wait && can_do_without(peer))) {
      exclusion.proposed = true;
      changes.push_back({ChangeKind::fail,
                         peer,
                         {},
                         exclusion.proven ? cluster::Failure::ended : cluster::Failure::silent});
    }
  }
  for (const Record& record : roster_.records) {
    if (record.member.state != NodeState::present) continue;
    const auto knocked = knocking_.find(record.peer());
    const TimePoint last = knocked == knocking_.end() ? leading_since_ : knocked->second.second;
    if (now_ <= last + kPresentLife) continue;
    changes.push_back({ChangeKind::fail, record.peer(), {}, cluster::Failure::silent});
  }
  return !changes.empty() && propose(std::move(changes), 0);
}

// Whether the others agree without it. Else what is proposed now would be agreed when it is back,
// by its own vote, and those that are left then might be too few to ever agree again.
bool Core::Impl::can_do_without(const Peer& peer) const {
  return log_.agrees_without(agreement::server_of(peer.node, peer.incarnation),
                             options_.log.election, now_);
}

bool Core::Impl::propose_requests() {
  std::vector<Change> changes;
  // One that was let in has been heard: should it leave soon, that is not to bring it back.
  std::erase_if(knocking_, [&](const auto& k) {
    return now_ > k.second.second + kPresentLife || roster_.has_member(k.first);
  });
  for (const auto& [peer, knock] : knocking_) {
    const Record* const record = roster_.find(peer.node);
    const bool blank = record != nullptr && record->member.state == NodeState::possible;
    const bool later =
        record != nullptr && !record->is_member() && record->member.incarnation < peer.incarnation;
    const bool same_blank = blank && record->member.incarnation == peer.incarnation;
    if (now_ > knock.second + kKnockLife) continue;
    if (record == nullptr || later || same_blank) {
      changes.push_back({ChangeKind::present, peer, {knock.first}});
    }
  }
  std::erase_if(leave_wanted_, [&](const auto& wanted) {
    const Record* const record = roster_.find(wanted.first.node);
    return record == nullptr || record->peer() != wanted.first ||
           record->member.state != NodeState::online || record->cancelled_leaves != wanted.second;
  });
  for (const auto& [peer, count] : leave_wanted_) {
    changes.push_back({ChangeKind::begin_leave, peer, {}});
  }
  return !changes.empty() && propose(std::move(changes), 0);
}

// --- Rounds
// ----------------------------------------------------------------------------------------

void Core::Impl::tend_round() {
  if (!round_) {
    if (key_round_ != 0) publish();
    if (!in_flight_) start_round();
  }
  if (!round_ || in_flight_) return;
  if (round_->failed != Errc::ok || now_ > round_deadline_) return fail_round();
  if (round_->ready && round_->waiting.empty()) {
    propose(round_->command.changes, round_->id);
  } else if (now_ >= next_forward_) {
    next_forward_ = now_ + options_.renew;
    forward_round(round_deadline_ - now_);
  }
}

void Core::Impl::start_round() {
  if (!exclusions_.empty()) return;  // They would not answer.
  std::vector<Change> changes;
  bool any_failed = false;
  for (const Record& record : roster_.records) {
    const Peer peer = record.peer();
    const auto knocked = knocking_.find(peer);
    const bool joins = record.member.state == NodeState::present && knocked != knocking_.end() &&
                       now_ <= knocked->second.second + kKnockLife;
    const bool leaves = record.member.state == NodeState::leaving;
    if (leaves && peer == me_) {
      resign();
      if (in_flight_) return;
      continue;
    }
    // A voter must have been replaced before it goes.
    if ((!joins && !leaves) || (leaves && is_server(peer))) continue;
    changes.push_back({joins ? ChangeKind::join : ChangeKind::leave, peer, {}});
    any_failed |= failures_.count(peer) != 0;
  }
  if (changes.empty()) return;
  // One that can not be prepared must not hold up the others: from then on one by one.
  if (any_failed) {
    const auto fewest = std::min_element(
        changes.begin(), changes.end(),
        [&](const Change& a, const Change& b) { return failures_[a.peer] < failures_[b.peer]; });
    changes = {*fewest};
  }
  const bool drains = std::any_of(changes.begin(), changes.end(), [](const Change& change) {
    return change.kind == ChangeKind::leave;
  });
  const Duration limit = drains ? options_.drain_limit : options_.prepare_limit;
  round_deadline_ = now_ + limit;
  next_forward_ = now_ + options_.renew;
  Prepare prepare;
  prepare.round = log_.term() << 24 | (generation_ + 1);
  prepare.key = {log_.term(), generation_ + 1};
  prepare.version = roster_.version;
  prepare.limit_ns = limit.count();
  prepare.command = Command{roster_.epoch, me_, 0, prepare.round, std::move(changes), {}};
  begin_round(prepare, kNoNode);
  publish();
}

void Core::Impl::fail_round() {
  std::vector<Change> given_up;
  for (const Change& change : round_->command.changes) {
    if (++failures_[change.peer] < options_.attempts) continue;
    failures_.erase(change.peer);
    const bool joins = change.kind == ChangeKind::join;
    given_up.push_back({joins ? ChangeKind::fail : ChangeKind::cancel_leave,
                        change.peer,
                        {},
                        joins ? cluster::Failure::refused : cluster::Failure::none});
  }
  KRG_WARN("a view could not be prepared: {}", text(round_->failed));
  drop_round();
  publish();
  if (given_up.empty()) return;
  for (const Change& change : given_up) {
    // Before the roster says so: the joiner is not reached by it.
    if (change.kind != ChangeKind::fail) continue;
    send(Kind::join_refused, change.peer.node, change.peer.incarnation,
         JoinRefused{static_cast<std::uint16_t>(Errc::cancelled)});
  }
  propose(std::move(given_up), 0);
}

// The coordinator itself leaves: another has to lead that.
void Core::Impl::resign() {
  if (roster_.members().size() == 1) {
    // The last one can be stopped, but it can not leave: who has just asked to join finds it.
    propose({{ChangeKind::cancel_leave, me_, {}}}, 0);
    return;
  }
  if (now_ < resigned_at_ + kResign) return;
  for (const agreement::Server& server : log_.servers()) {
    const Peer peer = peer_of(server.id);
    const bool fit = server.role == Role::voter && peer != me_ && roster_.has_member(peer) &&
                     roster_.find(peer.node)->member.state == NodeState::online &&
                     log_.caught_up(server.id);
    if (!fit) continue;
    resigned_at_ = now_;
    return send(Kind::succeed, peer.node, peer.incarnation, Succeed{log_.term()});
  }
}

void Core::Impl::on_succeed(const Peer& from, const Succeed& succeed) {
  const bool asked = succeed.term == log_.term() && from == peer_of(log_.leader());
  if (asked && log_.leader() != agreement::ServerId{}) log_.take_over(now_);
}

// --- Voters
// ----------------------------------------------------------------------------------------

bool Core::Impl::is_server(const Peer& peer) const {
  const std::vector<agreement::Server> servers = log_.servers();
  return std::any_of(servers.begin(), servers.end(),
                     [&](const auto& server) { return peer_of(server.id) == peer; });
}

std::size_t Core::Impl::wanted_voters() const {
  std::size_t online = 0;
  for (const Record& record : roster_.records) {
    online += record.member.state == NodeState::online;
  }
  if (online == 2) return options_.two_nodes == TwoNodes::no_failover ? 2 : 1;
  if (online <= 1) return online;  // None: all are leaving, and the coordinator goes last.
  const std::size_t most = std::min<std::size_t>(online, options_.voters);
  return most % 2 == 1 ? most : most - 1;
}

void Core::Impl::tend_voters() {
  if (in_flight_ || log_.change_pending() || now_ < next_voter_change_) return;
  next_voter_change_ = now_ + kVoterPause;
  const std::vector<agreement::Server> servers = log_.servers();
  const std::size_t target = wanted_voters();
  std::size_t good = 0;
  std::set<std::string> hosts;
  const auto usable = [&](const Peer& peer) {
    return roster_.has_member(peer) && !is_excluded(peer) &&
           roster_.find(peer.node)->member.state == NodeState::online;
  };
  for (const agreement::Server& server : servers) {
    if (server.role != Role::voter || !roster_.has_member(peer_of(server.id))) continue;
    const cluster::Member& member = roster_.find(agreement::node_of(server.id))->member;
    good += member.state == NodeState::online;
    hosts.insert(member.host);
  }
  if (drop_voter(servers, good, target) || good >= target) return;
  for (const agreement::Server& server : servers) {
    if (server.role == Role::learner && usable(peer_of(server.id))) {
      static_cast<void>(log_.promote(server.id, now_));
      return;
    }
  }
  // On another machine than the voters there are, if there is one.
  const Record* chosen = nullptr;
  for (const Record& record : roster_.records) {
    if (is_server(record.peer()) || !usable(record.peer())) continue;
    const bool new_host = hosts.count(record.member.host) == 0;
    if (chosen == nullptr || (new_host && hosts.count(chosen->member.host) != 0)) chosen = &record;
  }
  if (chosen == nullptr) return;
  if (restated_term_ != log_.term()) {
    restated_term_ = log_.term();
    restate_ = wire::encode(roster_);
    propose({}, 0);
    return;
  }
  static_cast<void>(log_.add_learner(
      agreement::server_of(chosen->member.node, chosen->member.incarnation), now_));
}

// Takes out one server that is gone, goes, or is one too many. True: it did.
bool Core::Impl::drop_voter(const std::vector<agreement::Server>& servers, std::size_t good,
                            std::size_t target) {
  const auto drop = [&](const agreement::Server& server) {
    drop_wanted_ = TimePoint{};
    return log_.remove(server.id, now_).has_value();
  };
  bool wanted = false;
  for (const agreement::Server& server : servers) {
    if (!roster_.has_member(peer_of(server.id))) return drop(server);
  }
  if (good < target) return false;
  const auto goes = [&](const agreement::Server& server) {
    return roster_.find(agreement::node_of(server.id))->member.state == NodeState::leaving;
  };
  // One that goes before one too many: should it die meanwhile, it is needed no more.
  for (const bool going : {true, false}) {
    for (auto at = servers.rbegin(); at != servers.rend(); ++at) {
      if (peer_of(at->id) == me_ || goes(*at) != going) continue;
      if (!going && at->role != Role::learner && good <= target) continue;
      wanted = true;
      if (drop_wanted_ == TimePoint{}) continue;
      if (log_.would_go_on(at->id, now_ - drop_wanted_, now_)) return drop(*at);
    }
  }
  // Not while a voter that is needed then has just died: it must be out first. So each must have
  // answered what was sent since, and as soon as they have, this is done.
  const bool late = now_ > drop_wanted_ + 2 * options_.log.heartbeat;
  if (wanted && (drop_wanted_ == TimePoint{} || late)) drop_wanted_ = now_;
  if (!wanted) drop_wanted_ = TimePoint{};
  if (wanted) next_voter_change_ = now_;
  return false;
}

}  // namespace krg::hotplug

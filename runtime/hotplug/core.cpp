#include "krg/hotplug/core.h"

#include <algorithm>
#include <array>

#include "core_impl.h"
#include "krg/log/log.h"
#include "send.h"

namespace krg::hotplug {
namespace {

constexpr Duration kTick = std::chrono::milliseconds(50);
// Of a node that keeps no log with others and has nothing under way: an idle cluster is to sleep.
constexpr Duration kIdleTick = std::chrono::milliseconds(310);
constexpr std::size_t kHistory = 64;

std::vector<agreement::ServerId> first_voters(const cluster::View& view, const Options& options) {
  std::size_t count = view.members.size();
  if (count >= 3) count = std::min<std::size_t>(count, options.voters);
  if (count >= 3 && count % 2 == 0) --count;
  if (count == 2 && options.two_nodes == TwoNodes::coordinator_survives) count = 1;
  std::vector<agreement::ServerId> voters;
  for (std::size_t i = 0; i < count; ++i) {
    voters.push_back(agreement::server_of(view.members[i].node, view.members[i].incarnation));
  }
  return voters;
}

}  // namespace

Core::Impl::Impl(const cluster::Member& self, const Options& options,
                 detector::DatagramPort& datagrams, CoreSink& sink, TimePoint now)
    : self_(self),
      me_{self.node, self.incarnation},
      options_(options),
      sink_(sink),
      now_(now),
      detector_(me_, options.detector, datagrams, *this, sink.random(), now),
      log_(agreement::server_of(self.node, self.incarnation), options.log, *this, now),
      next_tick_(now),
      verdicts_(4 * options.detector.period) {}

Status Core::Impl::found(const cluster::View& view, TimePoint now) {
  now_ = now;
  KRG_TRY(cluster::check(view));
  roster_ = Roster::of(view);
  if (!roster_.has_member(me_)) return Error(Errc::invalid_argument, "not in the first view");
  KRG_TRY(log_.start(first_voters(view, options_)));
  view_changed();
  next_ask_ = now + options_.renew;  // Before the first election nobody has a lease to hand on.
  return {};
}

void Core::Impl::stand(TimePoint now) {
  now_ = now;
  log_.stand(now);
  lead();
}

Status Core::Impl::join(const std::vector<cluster::Member>& contacts, TimePoint now) {
  now_ = now;
  if (contacts.empty()) return Error(Errc::invalid_argument, "nobody to ask");
  contacts_ = contacts;
  for (const cluster::Member& contact : contacts) sink_.reach(contact);
  return log_.start({});
}

void Core::Impl::fabric_down(const Peer& peer, TimePoint now) {
  now_ = now;
  if (!over_ && roster_.has_member(peer)) detector_.probe(peer, now);
}

void Core::Impl::on_datagram(wire::Bytes datagram, TimePoint now) {
  now_ = now;
  if (over_) return;
  detector_.on_datagram(datagram, now);
}

void Core::Impl::on_refused(NodeId node, TimePoint now) {
  now_ = now;
  if (over_) return;
  detector_.on_refused(node);
  wake();
  lead();  // Not from within the detector: a change of the view changes what it watches.
}

void Core::Impl::on_timer(TimePoint now) {
  now_ = now;
  if (over_) {
    next_tick_ = TimePoint{Duration::max()};
    return;
  }
  detector_.on_timer(now);
  if (now < next_tick_) return;
  next_tick_ = now + kTick;
  log_.tick(now);
  lead();
  if (over_) return;
  renew();
  press_requests();
  // With the next heartbeat, if that is not far: each waking costs more than what is done then.
  if (is_idle()) next_tick_ = std::max(next_tick_, std::min(detector_.next(), now + kIdleTick));
}

// After news: the clock may have to be looked at earlier than was thought.
void Core::Impl::wake() {
  if (next_tick_ > now_ + kTick && !is_idle()) next_tick_ = now_ + kTick;
}

// Whether nothing waits for the clock but the next lease: raft's timers run only between servers.
bool Core::Impl::is_idle() const {
  const bool at_rest = contacts_.empty() && leaving_.empty() && ended_.empty() && !round_ &&
                       exclusions_.empty() && knocking_.empty() && leave_wanted_.empty() &&
                       unanswered_ == 0 && now_ < lease_until_;
  if (!at_rest) return false;
  const std::vector<agreement::Server> servers = log_.servers();
  return std::none_of(servers.begin(), servers.end(),
                      [&](const auto& server) { return peer_of(server.id) == me_; }) ||
         (servers.size() == 1 && leads());
}

Status Core::Impl::serving(TimePoint now) const noexcept {
  if (over_) return Error(Errc::stale, "this life is no member any more");
  if (!roster_.has_member(me_)) return Error(Errc::not_connected, "not yet a member");
  if (round_ && round_->removes_self && round_->ready) return Error(Errc::shutting_down, "drained");
  if (now >= lease_until_) {
    return Error(Errc::no_quorum,
                 lease_until_ == TimePoint{} ? "this node has just begun: no lease yet" : nullptr);
  }
  return {};
}

// --- Messages
// --------------------------------------------------------------------------------------

bool Core::Impl::acceptable(const Header& header) const noexcept {
  if (header.to != Incarnation{0} && header.to != me_.incarnation) return false;
  const Record* const record = roster_.find(header.from.node);
  return record == nullptr || header.from.incarnation >= record->member.incarnation;
}

void Core::Impl::on_message(wire::Bytes bytes, TimePoint now) {
  now_ = now;
  if (over_) return;
  wire::Decoder in{bytes};
  Header header;
  wire::get(in, header);
  if (!in.ok() || header.from.node.value >= cluster::kNodesMax) return;
  if (acceptable(header)) {
    dispatch(header, in);
    return wake();
  }
  // One that was excluded long ago may know nobody by its present life: it must learn of it.
  if (header.kind == Kind::lease_request && !roster_.has_member(header.from)) {
    send(Kind::update, header.from.node, header.from.incarnation, update_from(0));
  }
}

namespace {

template <class Body, class F>
void with(wire::Decoder& in, F&& handle) {
  Body body;
  wire::get(in, body);
  if (in.finished()) handle(body);
}

}  // namespace

void Core::Impl::dispatch(const Header& header, wire::Decoder& in) {
  const Peer from = header.from;
  switch (header.kind) {
    case Kind::log:
      return with<LogMessage>(in, [&](const LogMessage& m) {
        log_.receive(agreement::server_of(from.node, from.incarnation), m.bytes, now_);
        if (!over_) lead();
      });
    case Kind::lease_request:
      return with<LeaseRequest>(in, [&](const auto& m) { on_lease_request(from, m); });
    case Kind::lease_grant:
      return with<LeaseGrant>(in, [&](const auto& m) { on_lease_grant(m); });
    case Kind::update:
      return with<Update>(in, [&](const Update& m) { take(m); });
    case Kind::report:
      return with<Report>(in, [&](const Report& m) {
        if (!roster_.has_member(from)) return;
        on_report(from.node, m);
        lead();
      });
    case Kind::probe:
      return with<Probe>(in, [&](const Probe& m) { detector_.probe(m.subject, now_); });
    case Kind::join:
      return with<JoinRequest>(in, [&](const auto& m) { on_join(m); });
    case Kind::join_refused:
      return with<JoinRefused>(in, [&](const JoinRefused& m) {
        if (!contacts_.empty() && is_errc(m.code)) end(static_cast<Errc>(m.code));
      });
    case Kind::leave:
      return with<LeaveRequest>(in, [&](const auto& m) { on_leave(m); });
    case Kind::prepare:
      return with<Prepare>(in, [&](const auto& m) { on_prepare(from, m); });
    case Kind::succeed:
      return with<Succeed>(in, [&](const auto& m) { on_succeed(from, m); });
    case Kind::prepared:
      return with<Prepared>(in, [&](const auto& m) { on_prepared(from, m); });
  }
}

void Core::Impl::send(agreement::ServerId to, wire::Bytes message) {
  send(Kind::log, agreement::node_of(to), agreement::incarnation_of(to), LogMessage{message});
}

// --- The roster
// ------------------------------------------------------------------------------------

void Core::Impl::apply(wire::Bytes bytes) {
  const Result<Command> command = wire::decode<Command>(bytes);
  KRG_ASSERT(command.has_value());  // The log carries only what propose() has encoded.
  ++log_version_;
  if (command->proposer == me_ && command->serial == serial_) {
    in_flight_ = false;
    if (log_.is_leader()) confirmed_term_ = log_.term();
  }
  // Another may have told it first.
  if (log_version_ == roster_.version + 1) return take_command(*command);
  if (log_version_ <= roster_.version || command->whole.empty()) return;
  Result<Roster> whole = wire::decode<Roster>(command->whole);
  if (!whole) return;
  whole->version = log_version_;
  Update update;
  update.whole.push_back(*std::move(whole));
  take(update);
}

Update Core::Impl::update_from(std::uint64_t version) const {
  Update update;
  if (version >= roster_.version) {
    update.base = roster_.version;
  } else if (version != 0 && version + history_.size() >= roster_.version) {
    update.base = version;
    const auto skip = history_.size() - (roster_.version - version);
    update.commands.assign(history_.begin() + static_cast<std::ptrdiff_t>(skip), history_.end());
  } else {
    update.whole.push_back(roster_);
  }
  return update;
}

void Core::Impl::take(const Update& update) {
  if (!update.whole.empty()) {
    const Roster& whole = update.whole.front();
    if (whole.version <= roster_.version || !check(whole)) return;
    const cluster::View before = roster_.view();
    roster_ = whole;
    history_.clear();
    return roster_changed(nullptr, before);
  }
  if (update.base > roster_.version) return;
  std::size_t skip = roster_.version - update.base;
  for (; skip < update.commands.size() && !over_; ++skip) take_command(update.commands[skip]);
}

void Core::Impl::take_command(const Command& command) {
  const cluster::View before = roster_.view();
  hotplug::apply(roster_, command);
  history_.push_back(command);
  history_.back().whole.clear();  // Whoever needs it asks for the whole anyway.
  if (history_.size() > kHistory) history_.pop_front();
  for (const Change& change : command.changes) {
    const Record* const record = roster_.find(change.peer.node);
    if (change.kind == ChangeKind::present && record != nullptr && record->peer() == change.peer &&
        record->member.state == cluster::NodeState::present) {
      sink_.present(record->member);
    }
  }
  roster_changed(&command, before);
}

void Core::Impl::roster_changed(const Command* command, const cluster::View& before) {
  const Record* const own = roster_.find(me_.node);
  const bool member = roster_.has_member(me_);
  const bool was_member =
      before.find(me_.node) != nullptr && before.find(me_.node)->incarnation == me_.incarnation;
  const bool given_up = !was_member && own != nullptr && own->peer() == me_ &&
                        own->member.state == cluster::NodeState::failed;
  if (given_up) return end(Errc::cancelled);
  if (before.epoch == roster_.epoch && was_member == member) return;
  const Tree old_tree = tree_;
  view_changed();
  if (!member) {
    // Told to whoever may not hear it otherwise.
    for (const NodeId child : old_tree.children(me_.node)) push(child, roster_.version - 1);
    if (!was_member) return;
    const bool left =
        own != nullptr && own->peer() == me_ && own->member.state == cluster::NodeState::possible;
    return end(left ? Errc::ok : Errc::stale);
  }
  contacts_.clear();
  std::uint64_t round = 0;
  if (round_ && command != nullptr && command->round == round_->id) {
    round = round_->id;
    round_.reset();
  } else if (round_ && round_->command.base != roster_.epoch) {
    drop_round();
  }
  const cluster::NodeSet leaving = command == nullptr ? cluster::NodeSet() : leavers(*command);
  sink_.install(round, before, roster_.view(), leaving);
  for (const NodeId child : tree_.children(me_.node)) push(child, roster_.version - 1);
  if (!leads() || command == nullptr) return;
  for (const Change& change : command->changes) push(change.peer.node, 0);
}

void Core::Impl::view_changed() {
  std::vector<Peer> members;
  for (const Record& record : roster_.records) {
    if (record.member.node != me_.node) sink_.reach(record.member);
    if (record.is_member()) members.push_back(record.peer());
  }
  tree_ = Tree(roster_.members(), roster_.coordinator, options_.fan_out);
  rings_ = std::make_shared<const detector::Rings>(roster_.members());
  verdicts_.set_view(members, rings_);
  const auto lives = [&](const std::vector<NodeId>& nodes) {
    std::vector<Peer> peers;
    for (const NodeId node : nodes) peers.push_back(roster_.find(node)->peer());
    return peers;
  };
  detector_.watch(lives(rings_->observers_of(me_.node)), lives(rings_->subjects_of(me_.node)),
                  now_);
  std::erase_if(ended_, [&](const Peer& peer) { return !roster_.has_member(peer); });
  std::erase_if(exclusions_, [&](const auto& e) { return !roster_.has_member(e.first); });
  unanswered_ = 0;
  next_ask_ = std::min(next_ask_, now_);
  next_press_ = std::min(next_press_, now_);  // There may be another to ask.
}

void Core::Impl::push(NodeId to, std::uint64_t version) {
  const Record* const record = roster_.find(to);
  if (to == me_.node || record == nullptr) return;
  send(Kind::update, to, record->member.incarnation, update_from(version));
}

void Core::Impl::end(Errc why) {
  if (std::exchange(over_, true)) return;
  // Who has left has done what it prepared: that is not aborted, nothing may come to it again.
  if (why == Errc::ok) round_.reset();
  drop_round();
  lease_until_ = TimePoint{};
  log_.pause();
  sink_.over(why);
}

void Core::Impl::accuse(const Peer& subject, detector::Evidence evidence) noexcept {
  if (!roster_.has_member(subject)) return;
  const bool news = evidence == detector::Evidence::ended && ended_.insert(subject).second;
  if (news && subject.node == roster_.coordinator) {
    // Nobody is there to ask others to look: those that could take its place, and those who watch.
    for (const agreement::Server& server : log_.servers()) {
      send(Kind::probe, peer_of(server.id).node, peer_of(server.id).incarnation, Probe{subject});
    }
    for (const NodeId observer : rings_->observers_of(subject.node)) {
      send_to(Kind::probe, observer, Probe{subject});
    }
  }
  const Report report{subject, evidence};
  if (leads()) return on_report(me_.node, report);
  if (roster_.coordinator != kNoNode) send_to(Kind::report, roster_.coordinator, report);
}

std::vector<NodeId> Core::Impl::voters() const {
  std::vector<NodeId> result;
  for (const agreement::Server& server : log_.servers()) {
    if (server.role == agreement::Role::voter) result.push_back(agreement::node_of(server.id));
  }
  std::sort(result.begin(), result.end());
  return result;
}

// --- Core
// ------------------------------------------------------------------------------------------

Core::Core(const cluster::Member& self, const Options& options, detector::DatagramPort& datagrams,
           CoreSink& sink, TimePoint now)
    : impl_(std::make_unique<Impl>(self, options, datagrams, sink, now)) {}
Core::~Core() = default;
Status Core::found(const cluster::View& view, TimePoint now) { return impl_->found(view, now); }
void Core::stand(TimePoint now) { impl_->stand(now); }
Status Core::join(const std::vector<cluster::Member>& contacts, TimePoint now) {
  return impl_->join(contacts, now);
}
void Core::leave(const Peer& peer, TimePoint now) { impl_->leave(peer, now); }
void Core::fabric_down(const Peer& peer, TimePoint now) { impl_->fabric_down(peer, now); }
void Core::on_message(wire::Bytes message, TimePoint now) { impl_->on_message(message, now); }
void Core::on_datagram(wire::Bytes datagram, TimePoint now) { impl_->on_datagram(datagram, now); }
void Core::on_refused(NodeId node, TimePoint now) { impl_->on_refused(node, now); }
void Core::prepared(std::uint64_t round, Status how, TimePoint now) {
  impl_->prepared(round, how, now);
}
void Core::on_timer(TimePoint now) { impl_->on_timer(now); }
TimePoint Core::next() const noexcept { return impl_->next(); }
Status Core::serving(TimePoint now) const noexcept { return impl_->serving(now); }
TimePoint Core::lease_until() const noexcept { return impl_->lease_until(); }
const Roster& Core::roster() const noexcept { return impl_->roster(); }
bool Core::is_coordinator() const noexcept { return impl_->leads(); }
std::vector<NodeId> Core::voters() const { return impl_->voters(); }

}  // namespace krg::hotplug

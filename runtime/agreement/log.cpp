#include "krg/agreement/log.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <string>
#include <utility>

#include "krg/log/log.h"
#include "raft_io.h"

namespace krg::agreement {
namespace {

// Two clocks may run apart by as much; and libraft counts whole milliseconds.
constexpr std::int64_t kDriftPerMille = 1;
// No log is so long.
constexpr raft_index kIndexMax = raft_index{1} << 48;
constexpr Duration kRounding = std::chrono::milliseconds(2);

Status status_of(int error) noexcept {
  if (error == 0) return {};
  return Error(Errc::would_block, "raft").with_native(error);
}

}  // namespace

class Log::Impl {
 public:
  Impl(ServerId self, const LogOptions& options, LogSink& sink, TimePoint now)
      : self_(self), options_(options), sink_(sink), io_(self, sink, now) {
    fsm_.version = 1;
    fsm_.data = this;
    install_callbacks();
    const std::string address = std::to_string(self.value);
    usable_ = raft_init(&raft_, io_.io(), &fsm_, self.value, address.c_str()) == 0;
    io_.server = &raft_;
    raft_set_election_timeout(&raft_, static_cast<unsigned>(options.election.count()));
    raft_set_heartbeat_timeout(&raft_, static_cast<unsigned>(options.heartbeat.count()));
    raft_set_snapshot_threshold(&raft_, std::numeric_limits<unsigned>::max());
    raft_set_pre_vote(&raft_, true);
    raft_set_max_catch_up_rounds(&raft_, 5);
    raft_set_max_catch_up_round_duration(&raft_, 1000);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl() {
    if (!usable_) return;
    closing_ = true;
    io_.close();
    io_.pump();
    raft_close(&raft_, nullptr);
    io_.pump();
  }

  Status start(const std::vector<ServerId>& voters);
  void receive(ServerId from, wire::Bytes bytes, TimePoint now);
  void tick(TimePoint now);
  Status propose(wire::Bytes command, TimePoint now);
  Status change(ServerId server, TimePoint now, Role role);
  void cancel_promotion(ServerId server);
  void pause() noexcept { paused_ = true; }
  void stand(TimePoint now);
  void take_over(TimePoint now);
  ServerId leader() const noexcept;
  TimePoint lease_until(TimePoint now) const;
  bool is_leader() const noexcept { return !paused_ && raft_.state == RAFT_LEADER; }
  raft_term term() const noexcept { return raft_.current_term; }
  bool change_pending() const noexcept;
  bool caught_up(ServerId server) const noexcept;
  bool would_go_on(ServerId without, Duration window, TimePoint now) const;
  bool agrees_without(ServerId without, Duration window, TimePoint now) const;
  std::vector<Server> servers() const;

 private:
  struct Voters {
    std::size_t all = 0, fresh = 0;
  };
  Voters voters_but(ServerId without, Duration window, TimePoint now) const;
  void install_callbacks() noexcept;
  bool is_plausible(ServerId from, const raft_message& message) const noexcept;
  bool learn_term(const Received& received) noexcept;
  void receive_vote_request(ServerId from, Received received);
  // In the configuration; nullptr if this server is not in it.
  raft_server* own_record() noexcept {
    for (unsigned i = 0; i < raft_.configuration.n; ++i) {
      raft_server& server = raft_.configuration.servers[i];
      if (server.id == self_.value) return &server;
    }
    return nullptr;
  }
  void after() {
    io_.pump();
    // Echoes of an earlier leadership tell nothing about this one.
    if (!is_leader() || raft_.current_term != leader_term_) {
      io_.forget_echoes();
      leader_term_ = is_leader() ? raft_.current_term : 0;
      leader_since_ = io_.now();
    }
  }

  const ServerId self_;
  const LogOptions options_;
  LogSink& sink_;
  RaftIo io_;
  raft_fsm fsm_{};
  raft raft_{};
  bool usable_ = false, closing_ = false, started_ = false;
  bool changing_ = false, paused_ = false;
  raft_term leader_term_ = 0;
  TimePoint leader_since_{}, took_over_at_{};
};

void Log::Impl::install_callbacks() noexcept {
  fsm_.apply = [](raft_fsm* fsm, const raft_buffer* command, void** result) {
    auto& self = *static_cast<Impl*>(fsm->data);
    *result = nullptr;
    if (!self.closing_) {
      self.sink_.apply({static_cast<const std::byte*>(command->base), command->len});
    }
    return 0;
  };
  fsm_.snapshot = [](raft_fsm*, raft_buffer**, unsigned*) -> int { return RAFT_INVALID; };
  fsm_.restore = [](raft_fsm*, raft_buffer*) -> int { return RAFT_INVALID; };
}

Status Log::Impl::start(const std::vector<ServerId>& voters) {
  if (!usable_) return Error(Errc::no_memory, "raft");
  if (!voters.empty()) {
    raft_configuration configuration;
    raft_configuration_init(&configuration);
    int error = 0;
    for (const ServerId voter : voters) {
      const std::string address = std::to_string(voter.value);
      if (error == 0) {
        error = raft_configuration_add(&configuration, voter.value, address.c_str(), RAFT_VOTER);
      }
    }
    if (error == 0) error = raft_bootstrap(&raft_, &configuration);
    raft_configuration_close(&configuration);
    KRG_TRY(status_of(error));
  }
  KRG_TRY(status_of(raft_start(&raft_)));
  started_ = true;
  after();
  return {};
}

void Log::Impl::receive(ServerId from, wire::Bytes bytes, TimePoint now) {
  if (!started_ || paused_ || raft_.state == RAFT_UNAVAILABLE) return;
  std::optional<Received> received = decode(bytes);
  if (!received)
    return KRG_WARN("a malformed message of the log from node {}", node_of(from).value);
  io_.set_now(now);
  if (!is_plausible(from, received->message)) {
    give_back(*received);
    return KRG_WARN("a message of the log from node {} contradicts it", node_of(from).value);
  }
  if (learn_term(*received)) return;
  if (received->message.type == RAFT_IO_REQUEST_VOTE) {
    receive_vote_request(from, std::move(*received));
  } else {
    io_.receive(from, std::move(*received));
  }
  after();
}

// What no server of a sound log says. libraft believes its peers, and may crash on it.
bool Log::Impl::is_plausible(ServerId from, const raft_message& message) const noexcept {
  const raft_index last = raft_last_index(const_cast<raft*>(&raft_));
  switch (message.type) {
    case RAFT_IO_APPEND_ENTRIES: {
      const raft_append_entries& m = message.append_entries;
      if (from == self_ || (m.term == raft_.current_term && raft_.state == RAFT_LEADER))
        return false;
      raft_term term = m.prev_log_term;
      for (unsigned i = 0; i < m.n_entries; ++i) {
        if (m.entries[i].term < term || m.entries[i].term == 0) return false;
        term = m.entries[i].term;
      }
      const bool begins = (m.prev_log_index == 0) == (m.prev_log_term == 0);
      return begins && term <= m.term && m.prev_log_index < kIndexMax &&
             m.leader_commit < kIndexMax;
    }
    case RAFT_IO_APPEND_ENTRIES_RESULT: {
      const raft_append_entries_result& m = message.append_entries_result;
      return raft_.state != RAFT_LEADER || m.term != raft_.current_term ||
             (m.rejected <= last && m.last_log_index < kIndexMax);
    }
    case RAFT_IO_REQUEST_VOTE:
      return ServerId{message.request_vote.candidate_id} == from;
    default:
      return true;
  }
}

// libraft 0.15 refuses a request of an earlier term before the vote without saying its own term:
// the candidate with the longer log would ask in vain for ever. True: there is nothing more to it.
bool Log::Impl::learn_term(const Received& received) noexcept {
  const bool refused = received.message.type == RAFT_IO_REQUEST_VOTE_RESULT &&
                       !received.message.request_vote_result.vote_granted;
  const bool asking = raft_.state == RAFT_CANDIDATE && raft_.candidate_state.in_pre_vote;
  if (!refused || !asking || received.stamps.current_term <= raft_.current_term) return false;
  raft_.current_term = received.stamps.current_term;
  raft_.voted_for = 0;
  return true;
}

// libraft 0.15 lets only a server that knows it is a voter give its vote, and only such a one ever
// stops believing in a silent leader. Raft asks for more: one that has been promoted may not have
// heard it, and the leader that did so, alone before, could never be elected again (Ongaro 4.2.2).
void Log::Impl::receive_vote_request(ServerId from, Received received) {
  raft_server* const own = own_record();
  const bool learner = own != nullptr && own->role != RAFT_VOTER;
  if (learner && raft_.state == RAFT_FOLLOWER &&
      io_.io()->time(io_.io()) - raft_.election_timer_start >= raft_.election_timeout) {
    raft_.follower_state.current_leader.id = 0;
  }
  const int role = learner ? std::exchange(own->role, RAFT_VOTER) : 0;
  io_.receive(from, std::move(received));
  if (learner) own->role = role;
}

void Log::Impl::tick(TimePoint now) {
  if (!started_ || paused_ || raft_.state == RAFT_UNAVAILABLE) return;
  io_.set_now(now);
  // One that asked to succeed and was not elected asks again, but like all others: libraft would go
  // on to depose every leader.
  if (raft_.state == RAFT_CANDIDATE && raft_.candidate_state.disrupt_leader &&
      now > took_over_at_ + options_.election / 2) {
    raft_.candidate_state.disrupt_leader = false;
    raft_.candidate_state.in_pre_vote = true;
  }
  io_.tick();
  after();
}

Status Log::Impl::propose(wire::Bytes command, TimePoint now) {
  if (!is_leader()) return Error(Errc::would_block, "not the leader");
  io_.set_now(now);
  raft_buffer buffer{raft_malloc(command.size() + 1), command.size()};
  auto* const request = static_cast<struct raft_apply*>(raft_calloc(1, sizeof(struct raft_apply)));
  if (buffer.base == nullptr || request == nullptr) {
    raft_free(buffer.base);
    raft_free(request);
    return Error(Errc::no_memory, "raft");
  }
  std::copy(command.begin(), command.end(), static_cast<std::byte*>(buffer.base));
  const int error = ::raft_apply(&raft_, request, &buffer, 1,
                                 [](struct raft_apply* done, int, void*) { raft_free(done); });
  if (error != 0) {
    raft_free(buffer.base);
    raft_free(request);
  }
  after();
  return status_of(error);
}

Status Log::Impl::change(ServerId server, TimePoint now, Role role) {
  if (change_pending()) return Error(Errc::would_block, "a change is under way");
  io_.set_now(now);
  auto* const request = static_cast<raft_change*>(raft_calloc(1, sizeof(raft_change)));
  if (request == nullptr) return Error(Errc::no_memory, "raft");
  request->data = this;
  const raft_change_cb done = [](raft_change* change, int) {
    static_cast<Impl*>(change->data)->changing_ = false;
    raft_free(change);
  };
  changing_ = true;
  int error = 0;
  if (role == Role::learner) {
    const std::string address = std::to_string(server.value);
    error = raft_add(&raft_, request, server.value, address.c_str(), done);
  } else if (role == Role::voter) {
    error = raft_assign(&raft_, request, server.value, RAFT_VOTER, done);
  } else {
    error = raft_remove(&raft_, request, server.value, done);
  }
  if (error != 0) {
    changing_ = false;
    raft_free(request);
  }
  after();
  return status_of(error);
}

void Log::Impl::stand(TimePoint now) {
  if (!started_ || raft_.state != RAFT_FOLLOWER || leader() != ServerId{}) return;
  raft_.follower_state.randomized_election_timeout = 0;
  tick(now);
}

void Log::Impl::take_over(TimePoint now) {
  if (!started_ || paused_ || leader() == ServerId{}) return;
  io_.set_now(now);
  took_over_at_ = now;
  // libraft obeys only if its log ends exactly as the leader's is said to end.
  raft_timeout_now request{raft_.current_term, raft_last_index(&raft_), 0};
  const raft_log& log = raft_.log;
  request.last_log_term = log.front == log.back
                              ? log.snapshot.last_term
                              : log.entries[(log.back + log.size - 1) % log.size].term;
  io_.take_over(leader().value, request);
  after();
}

ServerId Log::Impl::leader() const noexcept {
  if (paused_ || raft_.state != RAFT_FOLLOWER) return {};
  return ServerId{raft_.follower_state.current_leader.id};
}

// What libraft does by itself if the server takes too long to catch up.
void Log::Impl::cancel_promotion(ServerId server) {
  if (!is_leader() || raft_.leader_state.promotee_id != server.value) return;
  raft_.leader_state.promotee_id = 0;
  raft_.leader_state.round_number = 0;
  raft_.leader_state.round_index = 0;
  raft_.leader_state.round_start = 0;
  raft_change* const change = std::exchange(raft_.leader_state.change, nullptr);
  if (change != nullptr) change->cb(change, RAFT_NOCONNECTION);
}

bool Log::Impl::change_pending() const noexcept {
  return changing_ || raft_.configuration_uncommitted_index != 0;
}

TimePoint Log::Impl::lease_until(TimePoint now) const {
  if (!is_leader()) return TimePoint{};
  std::vector<TimePoint> echoes;
  for (unsigned i = 0; i < raft_.configuration.n; ++i) {
    const raft_server& server = raft_.configuration.servers[i];
    if (server.role != RAFT_VOTER) continue;
    const ServerId id{server.id};
    TimePoint echo = id == self_ ? now : io_.echoed(id);
    if (echo < leader_since_) echo = TimePoint{};
    echoes.push_back(echo);
  }
  if (echoes.empty()) return TimePoint{};
  std::sort(echoes.begin(), echoes.end(), std::greater<>());
  const TimePoint heard = echoes[echoes.size() / 2];
  if (heard == TimePoint{}) return TimePoint{};
  const Duration election = options_.election;
  return heard + election - election * (2 * kDriftPerMille) / 1000 - kRounding;
}

bool Log::Impl::caught_up(ServerId server) const noexcept {
  if (!is_leader()) return false;
  for (unsigned i = 0; i < raft_.configuration.n; ++i) {
    if (raft_.configuration.servers[i].id != server.value) continue;
    return raft_.leader_state.progress[i].match_index == raft_last_index(const_cast<raft*>(&raft_));
  }
  return false;
}

// Voters but `without`, and those of them that have answered.
Log::Impl::Voters Log::Impl::voters_but(ServerId without, Duration window, TimePoint now) const {
  Voters voters;
  for (const Server& server : servers()) {
    if (server.role != Role::voter || server.id == without) continue;
    ++voters.all;
    voters.fresh += server.id == self_ || io_.echoed(server.id) + window >= now;
  }
  return voters;
}

bool Log::Impl::would_go_on(ServerId without, Duration window, TimePoint now) const {
  const Voters others = voters_but(without, window, now);
  return is_leader() && others.fresh * 2 > others.all;
}

bool Log::Impl::agrees_without(ServerId without, Duration window, TimePoint now) const {
  const std::size_t all = voters_but(ServerId{}, window, now).all;
  return is_leader() && voters_but(without, window, now).fresh * 2 > all;
}

std::vector<Server> Log::Impl::servers() const {
  std::vector<Server> result;
  for (unsigned i = 0; i < raft_.configuration.n; ++i) {
    const raft_server& server = raft_.configuration.servers[i];
    result.push_back(
        {ServerId{server.id}, server.role == RAFT_VOTER ? Role::voter : Role::learner});
  }
  return result;
}

Log::Log(ServerId self, const LogOptions& options, LogSink& sink, TimePoint now)
    : impl_(std::make_unique<Impl>(self, options, sink, now)) {}
Log::~Log() = default;
Status Log::start(const std::vector<ServerId>& voters) { return impl_->start(voters); }
void Log::receive(ServerId from, wire::Bytes message, TimePoint now) {
  impl_->receive(from, message, now);
}
void Log::tick(TimePoint now) { impl_->tick(now); }
Status Log::propose(wire::Bytes command, TimePoint now) { return impl_->propose(command, now); }
Status Log::add_learner(ServerId server, TimePoint now) {
  return impl_->change(server, now, Role::learner);
}
Status Log::promote(ServerId server, TimePoint now) {
  return impl_->change(server, now, Role::voter);
}
Status Log::remove(ServerId server, TimePoint now) {
  return impl_->change(server, now, Role::none);
}
void Log::pause() noexcept { impl_->pause(); }
void Log::stand(TimePoint now) { impl_->stand(now); }
void Log::take_over(TimePoint now) { impl_->take_over(now); }
ServerId Log::leader() const noexcept { return impl_->leader(); }
bool Log::is_leader() const noexcept { return impl_->is_leader(); }
std::uint64_t Log::term() const noexcept { return impl_->term(); }
TimePoint Log::lease_until(TimePoint now) const { return impl_->lease_until(now); }
void Log::cancel_promotion(ServerId server) { impl_->cancel_promotion(server); }
bool Log::change_pending() const noexcept { return impl_->change_pending(); }
bool Log::caught_up(ServerId server) const noexcept { return impl_->caught_up(server); }
bool Log::would_go_on(ServerId without, Duration window, TimePoint now) const {
  return impl_->would_go_on(without, window, now);
}
bool Log::agrees_without(ServerId without, Duration window, TimePoint now) const {
  return impl_->agrees_without(without, window, now);
}
std::vector<Server> Log::servers() const { return impl_->servers(); }

}  // namespace krg::agreement

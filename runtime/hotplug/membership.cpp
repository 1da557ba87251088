#include "krg/hotplug/membership.h"

#include <algorithm>
#include <coroutine>
#include <optional>
#include <utility>

#include "krg/log/log.h"

namespace krg::hotplug {

// A listener's prepare(), which may be cut short. It ends then with `cancelled`, at once: what it
// still waits for may be a node that is not in the newest view, and until it ends that view is not
// entered here.
class Membership::Preparing final : private reactor::Ready {
 public:
  Preparing(Membership& owner, std::uint64_t round, Co<Status> work)
      : owner_(owner), round_(round), work_(std::move(work)) {
    owner_.preparing_ = this;
  }
  ~Preparing() { owner_.preparing_ = nullptr; }
  Preparing(const Preparing&) = delete;
  Preparing& operator=(const Preparing&) = delete;

  // The frame goes with this object, which the caller destroys when it is resumed.
  void cut(std::uint64_t round) noexcept {
    if (round == round_ && !std::exchange(cut_, true)) owner_.reactor_.schedule(*this);
  }
  bool was_cut() const noexcept { return cut_; }

  bool await_ready() const noexcept { return false; }
  std::coroutine_handle<> await_suspend(std::coroutine_handle<> caller) noexcept {
    handle = caller;
    ended_.emplace(std::move(work_).operator co_await());
    return ended_->await_suspend(caller);
  }
  Status await_resume() noexcept {
    unlink();
    return cut_ ? Status(Error(Errc::cancelled)) : ended_->await_resume();
  }

 private:
  Membership& owner_;
  const std::uint64_t round_;
  Co<Status> work_;
  std::optional<Co<Status>::Awaiter> ended_;
  bool cut_ = false;
};

Membership::Membership(reactor::Reactor& reactor, const cluster::Member& self,
                       const Options& options, MessagePort& messages,
                       detector::DatagramPort& datagrams, std::uint64_t seed)
    : reactor_(reactor),
      self_(self),
      options_(options),
      messages_(messages),
      random_state_(seed),
      changed_(reactor),
      core_(self, options, datagrams, *this, reactor.now()) {}

Membership::~Membership() = default;

// splitmix64.
std::uint64_t Membership::random() {
  std::uint64_t z = random_state_ += 0x9e3779b97f4a7c15u;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

Status Membership::found(const cluster::View& view) {
  KRG_TRY(core_.found(view, reactor_.now()));
  view_ = view;
  arm();
  return {};
}

void Membership::stand() {
  core_.stand(reactor_.now());
  arm();
}

Co<Status> Membership::join(std::vector<cluster::Member> contacts, Deadline deadline) {
  if (Status status = core_.join(contacts, reactor_.now()); !status) co_return status;
  arm();
  while (!over_ && view_.find(self_.node) == nullptr) {
    changed_.clear();
    if (Status status = co_await changed_.wait(deadline); !status) co_return status;
  }
  if (over_) co_return Error(why_over_ == Errc::ok ? Errc::cancelled : why_over_, "join");
  co_return Status();
}

Co<Status> Membership::leave(Peer peer, Deadline deadline) {
  core_.leave(peer, reactor_.now());
  arm();
  while (true) {
    const auto at = std::find_if(ended_.begin(), ended_.end(),
                                 [&](const Ended& ended) { return ended.peer == peer; });
    if (at != ended_.end()) {
      const Errc how = at->how;
      ended_.erase(at);
      if (how == Errc::ok) co_return Status();
      co_return Error(how, "leave");
    }
    if (over_ && peer == Peer{self_.node, self_.incarnation}) {
      if (why_over_ == Errc::ok) co_return Status();
      co_return Error(why_over_, "leave");
    }
    changed_.clear();
    if (Status status = co_await changed_.wait(deadline); !status) co_return status;
  }
}

void Membership::stop() noexcept {
  stopped_ = true;
  reactor::Timer::unlink();
}

void Membership::receive(wire::Bytes message) {
  if (stopped_) return;
  reactor_.background();
  core_.on_message(message, reactor_.now());
  arm();
}
void Membership::peer_down(const Peer& peer) {
  if (stopped_) return;
  core_.fabric_down(peer, reactor_.now());
  arm();
}
void Membership::on_datagram(wire::Bytes datagram) noexcept {
  if (stopped_) return;
  reactor_.background();
  core_.on_datagram(datagram, reactor_.now());
  arm();
}
void Membership::on_refused(NodeId node) noexcept {
  if (stopped_) return;
  core_.on_refused(node, reactor_.now());
  arm();
}
void Membership::on_timer() noexcept {
  reactor_.background();
  core_.on_timer(reactor_.now());
  arm();
}

void Membership::arm() noexcept {
  reactor::Timer::unlink();
  if (!over_ && !stopped_) reactor_.add_timer(*this, Deadline(core_.next()));
}

void Membership::over(Errc why) {
  over_ = true;
  why_over_ = why;
  changed_.set();
  if (on_over_) on_over_(why);
}

void Membership::leave_ended(const Peer& peer, Errc how) {
  ended_.push_back({peer, how});
  changed_.set();
}

// --- The services
// ----------------------------------------------------------------------------------

void Membership::prepare(std::uint64_t round, const cluster::View& before,
                         const cluster::View& after, const cluster::NodeSet& leaving,
                         Duration limit) {
  queue_.push_back({Step::prepare, round, before, after, leaving, limit});
  if (!std::exchange(working_, true)) reactor_.spawn(work());
}

void Membership::abort(std::uint64_t round) {
  aborted_ = round;
  if (preparing_ != nullptr) preparing_->cut(round);
  queue_.push_back({Step::abort, round, {}, {}, {}, Duration(0)});
  if (!std::exchange(working_, true)) reactor_.spawn(work());
}

void Membership::install(std::uint64_t round, const cluster::View& before,
                         const cluster::View& after, const cluster::NodeSet& leaving) {
  queue_.push_back({Step::install, round, before, after, leaving, options_.prepare_limit});
  if (!std::exchange(working_, true)) reactor_.spawn(work());
}

// In the order in which a change passes the services: from above if anything goes.
cluster::ViewListener& Membership::listener(std::size_t i,
                                            const cluster::ViewChange& change) const noexcept {
  const bool from_above = !change.leaving.empty() || !change.failed.empty();
  return *listeners_[from_above ? listeners_.size() - 1 - i : i];
}

Co<Status> Membership::prepare_all(const Work& work) {
  const cluster::ViewChange change = cluster::compare(work.before, work.after, work.leaving);
  const Deadline deadline = reactor_.after(work.limit);
  prepared_ = 0;
  while (prepared_ < listeners_.size()) {
    if (work.step == Step::prepare && aborted_ == work.round) co_return Error(Errc::cancelled);
    cluster::ViewListener& next = listener(prepared_, change);
    Status status;
    if (work.step == Step::install) {
      status = co_await next.prepare(change, deadline);
    } else {
      Preparing preparing(*this, work.round, next.prepare(change, deadline));
      status = co_await preparing;
      // It may have done part of it.
      if (preparing.was_cut()) ++prepared_;
      if (preparing.was_cut()) co_return status;
    }
    if (!status) {
      KRG_WARN("{} can not prepare epoch {}: {}", next.name(), work.after.epoch.value,
               status.error().message());
      if (work.step == Step::prepare) co_return status;
    }
    ++prepared_;
  }
  co_return Status();
}

void Membership::abort_prepared(const Work& work) noexcept {
  const cluster::ViewChange change = cluster::compare(work.before, work.after, work.leaving);
  while (prepared_ > 0) listener(--prepared_, change).abort(change);
}

// One step after the other.
Co<void> Membership::work() {
  while (!queue_.empty()) {
    const Work work = std::move(queue_.front());
    queue_.pop_front();
    const bool opened = work.round != 0 && work.round == open_.round;
    if (work.step == Step::prepare) {
      const Status status = co_await prepare_all(work);
      if (status) {
        open_ = work;
      } else {
        abort_prepared(work);
      }
      core_.prepared(work.round, status, reactor_.now());
      arm();
    } else if (work.step == Step::abort) {
      if (opened) abort_prepared(open_);
      if (opened) open_ = {};
    } else {
      if (!opened) static_cast<void>(co_await prepare_all(work));
      const cluster::ViewChange change = cluster::compare(work.before, work.after, work.leaving);
      for (std::size_t i = 0; i < listeners_.size(); ++i) listener(i, change).commit(change);
      if (opened) open_ = {};
      prepared_ = 0;
      view_ = work.after;
      tell(change);
      changed_.set();
    }
  }
  working_ = false;
}

void Membership::present(const cluster::Member& member) {
  tell(member, cluster::NodeState::present, core_.roster().epoch);
}

void Membership::tell(const cluster::Member& member, cluster::NodeState state, Epoch epoch) {
  NodeEvent event{epoch, {member.node, member.incarnation}, member.host, state};
  const Record* const record = core_.roster().find(member.node);
  // It may have come back meanwhile.
  if (record != nullptr && record->peer() == event.peer) event.why = record->why;
  for (const auto& handler : handlers_) handler(event);
}

void Membership::tell(const cluster::ViewChange& change) {
  const Epoch epoch = change.after.epoch;
  for (const cluster::Member& member : change.before.members) {
    const cluster::Member* const now = change.after.find(member.node);
    if (now != nullptr && now->incarnation == member.incarnation) {
      if (now->state != member.state) tell(*now, now->state, epoch);
      continue;
    }
    const bool left = change.leaving.contains(member.node);
    tell(member, left ? cluster::NodeState::possible : cluster::NodeState::failed, epoch);
  }
  for (const NodeId node : change.joining) {
    tell(*change.after.find(node), cluster::NodeState::online, epoch);
  }
}

}  // namespace krg::hotplug

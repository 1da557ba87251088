#include "krg/sync/sync.h"

#include <algorithm>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "krg/reactor/event.h"
#include "lock_reporter.h"
#include "meetings.h"
#include "messages.h"
#include "queues.h"
#include "task_waits.h"

namespace krg::sync {
namespace {

// How often a home that has moved, or can not be reached now, is asked again.
constexpr Duration kAskAgain = std::chrono::milliseconds(5);
// After that the next waiter is woken in place of those of a node that does not answer.
constexpr Duration kPatience = std::chrono::seconds(1);
constexpr Duration kPassOnLimit = std::chrono::seconds(60);

// The home may be another one in the next view, or be reached a little later.
bool may_pass(Errc code) noexcept {
  return code == Errc::stale || code == Errc::peer_down || code == Errc::not_connected ||
         code == Errc::unreachable || code == Errc::no_service;
}

// In a turn in which all listeners have been told: the Kddm may be after this one.
Co<void> look(Sync& sync) {
  sync.look_at_view();
  co_return;
}

}  // namespace

class Sync::Impl {
 public:
  Impl(rpc::Rpc& rpc, kddm::Kddm& kddm)
      : rpc_(rpc), kddm_(kddm), reactor_(rpc.reactor()), self_(rpc.self().node) {
    serve();
  }

  Co<Result<Ticket>> prepare(Key key, Deadline deadline);
  Co<Status> wait(Key key, Ticket ticket, std::uint32_t bits, Deadline deadline);
  Co<Result<std::uint32_t>> wake(Key key, std::uint32_t count, std::uint32_t bits,
                                 Deadline deadline);
  void pass_on(const Key& key, std::uint32_t count) { reactor_.spawn(wake_later(key, count)); }
  void look_at_view();
  void tell_locks(const kddm::TaskAccess& access) {
    rpc_.serve<LockReport>(
        [this, &access](rpc::Incoming&, wire::Empty&) -> Result<LockReport::Reply> {
          return report_locks(access, kddm_, reactor_.now());
        });
  }

  reactor::Reactor& reactor() noexcept { return reactor_; }
  std::size_t waiting() const noexcept { return waiting_.size(); }
  const Queues& queues() const noexcept { return queues_; }

 private:
  struct Waiting;

  void serve();
  // This node's view, which the queues follow.
  Epoch view() {
    look_at_view();
    return queues_.epoch();
  }
  Status check(Epoch epoch) {
    if (epoch == view()) return {};
    return Error(Errc::stale, "a wait or a wake-up of another view");
  }
  // Whether to ask once more, after a while, a home that has answered so.
  Co<bool> again(Error how, Deadline deadline);
  // Errors  as the home's
  Co<Result<bool>> enter(NodeId home, const Waiting& me, Ticket ticket, std::uint32_t bits,
                         Deadline deadline);
  Co<void> leave(NodeId home, Key key, std::uint64_t id, Epoch epoch);
  Co<void> wake_later(Key key, std::uint32_t count) {
    // Nobody is left to be told.
    static_cast<void>(co_await wake(key, count, kAnyBit, reactor_.after(kPassOnLimit)));
  }
  std::uint32_t wake_here(const Key& key, std::uint32_t count, std::uint32_t bits);
  // `hand_on`: others are woken in place of those who do not take it.
  void send(const Key& key, const std::vector<Waiter>& woken, std::uint32_t bits, bool hand_on);
  void hand_on_to(const Key& key, std::size_t count, std::uint32_t bits) {
    send(key, queues_.wake_others(key, static_cast<std::uint32_t>(count), bits), bits, true);
  }
  Co<void> tell(NodeId node, Key key, std::vector<std::uint64_t> ids, std::uint32_t bits,
                bool hand_on);
  // How many of them wait here and have not been woken before.
  std::uint32_t take(const std::vector<std::uint64_t>& ids) noexcept;

  rpc::Rpc& rpc_;
  kddm::Kddm& kddm_;
  reactor::Reactor& reactor_;
  const NodeId self_;
  Queues queues_;                                        // Of the keys whose home this node is.
  std::unordered_map<std::uint64_t, Waiting*> waiting_;  // By id, of this node.
  std::uint64_t ids_ = 0;
};

// --- Who waits ----------------------------------------------------------------------------------

// Known here before its home hears of it, for the wake-up may come first.
struct Sync::Impl::Waiting {
  Waiting(Impl& o, const Key& k, Epoch e)
      : owner(o), key(k), epoch(e), id(++o.ids_), event(o.reactor_) {
    owner.waiting_.emplace(id, this);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;
  // However it ends: it gave up, passed, or its task has died.
  ~Waiting() {
    owner.waiting_.erase(id);
    if (owner.queues_.epoch() != epoch) return;
    if (woken && !used) {
      owner.pass_on(key, 1);
    } else if (queued && !woken) {
      owner.reactor_.spawn(owner.leave(home, key, id, epoch));
    }
  }

  Impl& owner;
  const Key key;
  const Epoch epoch;
  const std::uint64_t id;
  reactor::Event event;
  NodeId home = kNoNode;
  bool queued = false;  // Or may be: its home has been asked.
  bool woken = false;   // By its home.
  bool used = false;    // The caller knows of it.
};

void Sync::Impl::look_at_view() {
  const Epoch epoch = kddm_.epoch();
  if (epoch == queues_.epoch()) return;
  queues_.begin(epoch);
  for (const auto& [id, waiting] : waiting_) waiting->event.set();
}

Co<bool> Sync::Impl::again(Error how, Deadline deadline) {
  if (!may_pass(how.code()) || deadline.passed(reactor_.now())) co_return false;
  co_await reactor::sleep_for(reactor_, kAskAgain);
  co_return true;
}

Co<Result<Ticket>> Sync::Impl::prepare(Key key, Deadline deadline) {
  for (;;) {
    KRG_CO_TRY_ASSIGN(const NodeId home, co_await kddm_.home_of(key.set, key.object, deadline));
    const PrepareAt::Request request{view()};
    if (home == self_) co_return queues_.prepare();
    const auto reply = co_await rpc_.call<PrepareAt>(home, request, {.deadline = deadline});
    if (reply) co_return reply->ticket;
    if (!co_await again(reply.error(), deadline)) co_return reply.error();
  }
}

Co<Result<bool>> Sync::Impl::enter(NodeId home, const Waiting& me, Ticket ticket,
                                   std::uint32_t bits, Deadline deadline) {
  if (home == self_) co_return queues_.enter(me.key, ticket, {self_, me.id, bits});
  const Enter::Request request{me.key, ticket, self_, me.id, bits};
  const auto reply = co_await rpc_.call<Enter>(home, request, {.deadline = deadline});
  if (!reply) co_return reply.error();
  co_return reply->entered;
}

Co<Status> Sync::Impl::wait(Key key, Ticket ticket, std::uint32_t bits, Deadline deadline) {
  KRG_CO_TRY_ASSIGN(const NodeId home, co_await kddm_.home_of(key.set, key.object, deadline));
  if (ticket.epoch != view()) co_return Status();
  Waiting me(*this, key, ticket.epoch);
  me.home = home;
  me.queued = true;
  const Result<bool> entered = co_await enter(home, me, ticket, bits, deadline);
  if (!entered) {
    if (entered.error().code() == Errc::timed_out) co_return entered.error();
    // The caller looks again, and asks the home again.
    me.used = true;
    co_return Status();
  }
  me.queued = *entered;
  if (*entered) {
    const Status how = co_await me.event.wait(deadline);
    if (!how && !me.woken) co_return how;
  }
  me.used = true;
  co_return Status();
}

// Not before the home has heard of it, while the view lasts: else a wake-up would go to nobody
// first, and then on to the next one.
Co<void> Sync::Impl::leave(NodeId home, Key key, std::uint64_t id, Epoch epoch) {
  if (home == self_) {
    if (epoch == view()) queues_.leave(key, self_, id);
    co_return;
  }
  const Leave::Request request{epoch, key, self_, id};
  while (epoch == view()) {
    const auto reply =
        co_await rpc_.call<Leave>(home, request, {.deadline = reactor_.after(kPatience)});
    if (reply || reply.error().code() == Errc::stale) co_return;
    co_await reactor::sleep_for(reactor_, kAskAgain);
  }
}

std::uint32_t Sync::Impl::take(const std::vector<std::uint64_t>& ids) noexcept {
  std::uint32_t taken = 0;
  for (const std::uint64_t id : ids) {
    const auto at = waiting_.find(id);
    if (at == waiting_.end() || std::exchange(at->second->woken, true)) continue;
    at->second->event.set();
    ++taken;
  }
  return taken;
}

// --- Who wakes ----------------------------------------------------------------------------------

Co<Result<std::uint32_t>> Sync::Impl::wake(Key key, std::uint32_t count, std::uint32_t bits,
                                           Deadline deadline) {
  for (;;) {
    KRG_CO_TRY_ASSIGN(const NodeId home, co_await kddm_.home_of(key.set, key.object, deadline));
    const WakeAt::Request request{view(), key, count, bits};
    if (home == self_) co_return wake_here(key, count, bits);
    const auto reply = co_await rpc_.call<WakeAt>(home, request, {.deadline = deadline});
    if (reply) co_return reply->waited;
    if (!co_await again(reply.error(), deadline)) co_return reply.error();
  }
}

std::uint32_t Sync::Impl::wake_here(const Key& key, std::uint32_t count, std::uint32_t bits) {
  const std::vector<Waiter> woken = queues_.wake(key, count, bits);
  send(key, woken, bits, count != kAll);
  return static_cast<std::uint32_t>(woken.size());
}

void Sync::Impl::send(const Key& key, const std::vector<Waiter>& woken, std::uint32_t bits,
                      bool hand_on) {
  std::map<NodeId, std::vector<std::uint64_t>> by_node;
  const auto go = [&](NodeId node, std::vector<std::uint64_t> ids) {
    if (ids.empty()) return;
    if (node != self_) return reactor_.spawn(tell(node, key, std::move(ids), bits, hand_on));
    const std::uint32_t taken = take(ids);
    if (hand_on && taken < ids.size()) hand_on_to(key, ids.size() - taken, bits);
  };
  for (const Waiter& waiter : woken) {
    std::vector<std::uint64_t>& ids = by_node[waiter.node];
    ids.push_back(waiter.id);
    if (ids.size() == Woken::kMax) go(waiter.node, std::exchange(ids, {}));
  }
  for (auto& [node, ids] : by_node) go(node, std::move(ids));
}

// They are in the queue no more, so they must hear of it, as long as their node is in this view: a
// new one lets them through. The others do not wait for that.
Co<void> Sync::Impl::tell(NodeId node, Key key, std::vector<std::uint64_t> ids, std::uint32_t bits,
                          bool hand_on) {
  const Woken::Request request{queues_.epoch(), std::move(ids)};
  for (;;) {
    const auto reply =
        co_await rpc_.call<Woken>(node, request, {.deadline = reactor_.after(kPatience)});
    if (view() != request.epoch) co_return;
    const std::uint32_t taken = reply ? reply->taken : 0;
    if (hand_on && taken < request.ids.size()) hand_on_to(key, request.ids.size() - taken, bits);
    hand_on = false;
    if (reply || reply.error().code() == Errc::stale) co_return;
    co_await reactor::sleep_for(reactor_, kAskAgain);
    if (view() != request.epoch) co_return;
  }
}

// --- Services -----------------------------------------------------------------------------------

void Sync::Impl::serve() {
  rpc_.serve<PrepareAt>(
      [this](rpc::Incoming&, PrepareAt::Request& request) -> Result<PrepareAt::Reply> {
        KRG_TRY(check(request.epoch));
        return PrepareAt::Reply{queues_.prepare()};
      });
  rpc_.serve<Enter>([this](rpc::Incoming&, Enter::Request& request) -> Result<Enter::Reply> {
    KRG_TRY(check(request.ticket.epoch));
    return Enter::Reply{
        queues_.enter(request.key, request.ticket, {request.node, request.id, request.bits})};
  });
  rpc_.serve<Leave>([this](rpc::Incoming&, Leave::Request& request) -> Result<wire::Empty> {
    KRG_TRY(check(request.epoch));
    queues_.leave(request.key, request.node, request.id);
    return wire::Empty{};
  });
  rpc_.serve<WakeAt>([this](rpc::Incoming&, WakeAt::Request& request) -> Result<WakeAt::Reply> {
    KRG_TRY(check(request.epoch));
    return WakeAt::Reply{wake_here(request.key, request.count, request.bits)};
  });
  rpc_.serve<Woken>([this](rpc::Incoming&, Woken::Request& request) -> Result<Woken::Reply> {
    KRG_TRY(check(request.epoch));
    return Woken::Reply{take(request.ids)};
  });
}

Sync::Sync(rpc::Rpc& rpc, kddm::Kddm& kddm)
    : impl_(std::make_unique<Impl>(rpc, kddm)), meetings_(std::make_unique<Meetings>(rpc, kddm)) {}
Sync::~Sync() = default;

void Sync::open(gate::Server& gate, const kddm::TaskAccess* access) {
  tasks_ = std::make_unique<TaskWaits>(impl_->reactor(), gate, *this);
  if (access != nullptr) impl_->tell_locks(*access);
}
Co<Result<Ticket>> Sync::prepare(Key key, Deadline deadline) {
  return impl_->prepare(key, deadline);
}
Co<Status> Sync::wait(Key key, Ticket ticket, std::uint32_t bits, Deadline deadline) {
  return impl_->wait(key, ticket, bits, deadline);
}
Co<Result<std::uint32_t>> Sync::wake(Key key, std::uint32_t count, std::uint32_t bits,
                                     Deadline deadline) {
  return impl_->wake(key, count, bits, deadline);
}
void Sync::pass_on(const Key& key, std::uint32_t count) { impl_->pass_on(key, count); }
Co<Result<calls::Meet::Reply>> Sync::meet(calls::Meet::Request request, Deadline deadline) {
  return meetings_->meet(std::move(request), deadline);
}
std::size_t Sync::meeting() const noexcept { return meetings_->waiting(); }
std::uint64_t Sync::notices() const noexcept { return meetings_->notices(); }
void Sync::look_at_view() {
  impl_->look_at_view();
  meetings_->look_at_view();
}
void Sync::commit(const cluster::ViewChange&) noexcept {
  look_at_view();
  impl_->reactor().spawn(look(*this));
}
std::size_t Sync::waiting() const noexcept { return impl_->waiting(); }
std::size_t Sync::queued(const Key& key) const noexcept { return impl_->queues().waiters(key); }

}  // namespace krg::sync

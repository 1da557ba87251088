#include "drain.h"

#include <algorithm>
#include <deque>
#include <iterator>
#include <set>
#include <utility>
#include <vector>

#include "krg/reactor/event.h"
#include "service.h"

namespace krg::kddm {
namespace {

constexpr Duration kLookForEnd = std::chrono::milliseconds(1);

// Begun before the first of them has ended: each takes some hops.
constexpr std::size_t kGivenAtOnce = 256;
constexpr std::uint64_t kBytesAtOnce = std::uint64_t{8} << 20;

using Given = std::set<ToGive>;

}  // namespace

// The ops that give a list of copies away, in its order; what is left of them is given up with it.
class Giving {
 public:
  Giving(Service& service, std::vector<ToGive> list, Deadline deadline)
      : service_(service), list_(std::move(list)), deadline_(deadline) {}
  Giving(const Giving&) = delete;
  Giving& operator=(const Giving&) = delete;

  bool done() const noexcept { return ended_ == list_.size(); }
  // Requires  !done()
  const ToGive& first() const noexcept { return list_[ended_]; }
  // Waits for the first one, which leaves the list. Requires  !done()
  Co<Status> next() {
    begin_some();
    Op& front = under_way_.front();
    const Status how = co_await front;
    bytes_ -= bytes_of(first());
    under_way_.pop_front();
    ++ended_;
    co_return how;
  }

 private:
  static std::uint64_t bytes_of(const ToGive& one) noexcept {
    return one.set->options.object_bytes;
  }
  void begin_some() {
    while (under_way_.size() < kGivenAtOnce && ended_ + under_way_.size() < list_.size()) {
      const ToGive& one = list_[ended_ + under_way_.size()];
      if (!under_way_.empty() && bytes_ + bytes_of(one) > kBytesAtOnce) return;
      bytes_ += bytes_of(one);
      under_way_.emplace_back(service_, *one.set, one.object, Message{.kind = one.by}, deadline_);
      under_way_.back().begin();
    }
  }

  Service& service_;
  const std::vector<ToGive> list_;
  const Deadline deadline_;
  std::size_t ended_ = 0;
  std::uint64_t bytes_ = 0;   // As many as those under way may have.
  std::deque<Op> under_way_;  // They do not move: the protocol knows them by their place.
};

bool Drain::any_leaves() const noexcept { return service_.reactor().now() < until_; }

Co<Status> Drain::may_move(Deadline deadline) {
  while (any_leaves()) {
    if (service_.reactor().now() >= deadline.at())
      co_return Error(Errc::timed_out, "a node leaves");
    co_await reactor::sleep_for(service_.reactor(), kLookForEnd);
  }
  co_return Status();
}

bool Service::asks_to_move() {
  bool any = false;
  for_each_set([&any](Set& set) {
    set.holders.for_each([&any](const HolderEntry& entry) {
      any = any || entry.holder.asks == Asks::flush || entry.holder.asks == Asks::sync;
    });
  });
  return any;
}

Co<Status> Drain::others_leave(Duration limit) {
  until_ = std::max(until_, service_.reactor().now() + limit);
  const Deadline deadline(service_.reactor().now() + limit);
  return until(deadline, [](Drain& drain) {
    // Whoever asked may have given up; the home has not. And as long as the objects of a home are
    // being put together, the leaver may be the only one that knows that they exist.
    return drain.moving_ == 0 && !drain.service_.asks_to_move() && drain.service_.knows_all();
  });
}

Co<Status> Drain::all_known(Deadline deadline) {
  return until(deadline, [](Drain& drain) { return drain.service_.knows_all(); });
}

Co<Status> Drain::until(Deadline deadline, bool (*done)(Drain&)) {
  constexpr Duration kLongest = std::chrono::milliseconds(50);
  for (Duration pause = kLookForEnd; !done(*this); pause = std::min(2 * pause, kLongest)) {
    if (service_.reactor().now() >= deadline.at()) co_return Error(Errc::timed_out, "draining");
    co_await reactor::sleep_for(service_.reactor(), pause);
  }
  co_return Status();
}

void Service::stop_draining() noexcept {
  draining_ = false;
  if (!std::exchange(drained_, false)) return;
  for_each_set([this](Set& set) {
    std::vector<ObjectId> waiting;
    for (const auto& [object, messages] : set.waiting) waiting.push_back(object);
    for (const ObjectId object : waiting) recheck_object(set, object);
  });
}

// --- The node that leaves -----------------------------------------------------------------------

void Kddm::serve_leaves() {
  service_->rpc().serve<Leaves>(
      [this](rpc::Incoming&, Leaves::Request request) -> Co<Result<wire::Empty>> {
        if (request.limit_ms == 0) {
          service_->drain_of_others().over();
          co_return wire::Empty{};
        }
        // More than a membership ever waits would stop this node's flushes for as long.
        constexpr std::uint64_t kMost = 60'000;
        const auto limit = std::chrono::milliseconds(std::min(request.limit_ms, kMost));
        KRG_CO_TRY(co_await service_->drain_of_others().others_leave(limit));
        co_return wire::Empty{};
      });
}

Co<Status> Kddm::prepare(const cluster::ViewChange& change, Deadline deadline) {
  if (!change.leaving.contains(service_->self())) co_return Status();
  service_->begin_draining();
  const Epoch base = change.before.epoch;
  Status given = co_await leave(deadline);
  // What was given away in another view may have gone to a node that is not in the newest.
  if (given && service_->epoch() != base) given = Error(Errc::stale, "the view has changed");
  // Whoever could not prepare is told of no abort.
  if (!given) abort(change);
  co_return given;
}

Co<Status> Kddm::leave(Deadline deadline) {
  KRG_CO_TRY(co_await service_->drain_of_others().all_known(deadline));
  KRG_CO_TRY(co_await write_own_files(deadline));
  KRG_CO_TRY(co_await give_everything(false, deadline));
  std::vector<NodeId> others;
  for (const NodeId node : service_->members()) {
    if (node != service_->self()) others.push_back(node);
  }
  const Duration left = deadline.at() - service_->reactor().now();
  const auto left_ms = std::chrono::duration_cast<std::chrono::milliseconds>(left).count();
  const Leaves::Request request{static_cast<std::uint64_t>(std::max<std::int64_t>(left_ms, 1))};
  const auto answers =
      co_await rpc::call_all<Leaves>(service_->rpc(), std::move(others), request, deadline);
  for (const auto& answer : answers) {
    if (!answer.reply) co_return answer.reply.error();
  }
  // What had been given meanwhile.
  co_return co_await give_everything(true, deadline);
}

void Kddm::abort(const cluster::ViewChange& change) noexcept {
  if (!change.leaving.contains(service_->self())) return;
  service_->stop_draining();
  // Who does not hear of it waits no longer than it was told.
  for (const NodeId node : service_->members()) {
    if (node != service_->self()) (void)service_->rpc().notify<Leaves>(node, Leaves::Request{0});
  }
}

Co<Status> Kddm::write_own_files(Deadline deadline) {
  std::vector<Set*> backed;
  service_->for_each_set([&](Set& set) {
    if (!set.gone && Backing::is_backed(set)) backed.push_back(&set);
  });
  for (Set* const set : backed) {
    KRG_CO_TRY(co_await service_->backing().write_all_back_here(*set, deadline));
  }
  co_return Status();
}

// What is to be given away; `asks`: something that was asked for is still to come.
std::vector<ToGive> Service::held(bool& asks) {
  std::vector<ToGive> held;
  for_each_set([&](Set& set) {
    copies_.for_each(set, [&](ObjectId object, const Holder& holder) {
      asks = asks || holder.asks != Asks::nothing || holder.copy == Copy::filling;
      const bool alone = holder.copy == Copy::write;
      if (holder.copy >= Copy::read) {
        held.push_back({&set, object, Kind::op_flush, holder.version, alone});
      }
      if (holder.copy != Copy::spare) return;
      held.push_back({&set, object, Kind::op_sync, holder.version});
    });
  });
  return held;
}

// Until there is an instant at which nothing is here but what every other member has too, and
// nothing was asked for. A spare may be the newest data as long as its receiver has not told so: a
// sync that is served has come after that. What was kept because all others had it counts only as
// long as this node has that very version, and not as a writer: an op that had begun before the
// drain may have had its turn since. `last`: nothing more is given to this node then.
Co<Status> Kddm::give_everything(bool last, Deadline deadline) {
  Given kept;  // Of what was here at the last look.
  Given synced;
  std::size_t before = SIZE_MAX;
  for (;;) {
    bool asks = false;
    const std::vector<ToGive> held = service_->held(asks);
    const bool given = std::all_of(held.begin(), held.end(), [&](const ToGive& one) {
      return (kept.contains(one) && !one.alone) || synced.contains(one);
    });
    if (!asks && given) {
      // In the same instant: before the caller goes on, more may come.
      if (last) service_->end_draining();
      co_return Status();
    }
    kept.clear();
    std::vector<ToGive> list;
    std::copy_if(held.begin(), held.end(), std::back_inserter(list),
                 [&](const ToGive& one) { return !synced.contains(one); });
    for (Giving giving(*service_, std::move(list), deadline); !giving.done();) {
      const ToGive one = giving.first();
      const Status how = co_await giving.next();
      const Errc code = how ? Errc::ok : how.error().code();
      if (code == Errc::limit_reached) kept.insert(one);
      const bool nothing = code == Errc::not_found || code == Errc::lost;
      if (!how && code != Errc::limit_reached && !nothing) co_return how;
      if (one.by == Kind::op_sync) synced.insert(one);
    }
    if (service_->reactor().now() >= deadline.at()) co_return Error(Errc::timed_out, "draining");
    // What is no less than before may be answered here and stay, by a fault: others have their
    // turn.
    const bool stays = held.size() >= std::exchange(before, held.size());
    if (asks || stays) co_await reactor::sleep_for(service_->reactor(), kLookForEnd);
  }
}

}  // namespace krg::kddm

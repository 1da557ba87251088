#include "backing.h"

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "krg/reactor/event.h"
#include "krg/rpc/multicast.h"

namespace krg::kddm {
namespace {

// How often a home that has moved, or is not there yet, is asked again.
constexpr Duration kAskAgain = std::chrono::milliseconds(5);
// After a write back that has failed nothing is given up for want of room for so long.
constexpr Duration kUnwritable = std::chrono::milliseconds(500);
// How often the end of a step at the home is looked for.
constexpr Duration kLookAgain = std::chrono::microseconds(50);
// A deadline that is further away travels as this.
constexpr std::chrono::milliseconds kPatienceMax = std::chrono::hours(1);

// Of a set, at each home: so a linker can end several by one sync of its file.
constexpr std::size_t kSweptAtOnce = 64;
constexpr std::uint64_t kSweptBytes = std::uint64_t{8} << 20;

// The home may be another one in the next view.
bool may_move(Errc code) noexcept {
  return code == Errc::stale || code == Errc::peer_down || code == Errc::not_connected;
}

}  // namespace

// What those share who write a set back. Who waits for them may be cancelled, and they go on to the
// end of what they have begun.
struct Backing::Sweep {
  Sweep(reactor::Reactor& reactor, std::vector<ObjectId> what, Deadline until)
      : objects(std::move(what)), deadline(until), writing(reactor) {}

  class User {
   public:
    explicit User(Sweep& sweep) noexcept : sweep_(sweep) {}
    User(const User&) = delete;
    User& operator=(const User&) = delete;
    ~User() { sweep_.given_up = true; }

   private:
    Sweep& sweep_;
  };

  const std::vector<ObjectId> objects;
  const Deadline deadline;
  std::size_t next = 0;
  Status first;  // The first failure.
  bool late = false;
  bool given_up = false;
  reactor::WaitGroup writing;
};

Backing::Backing(Service& service) : service_(service) {
  service_.rpc().serve<WriteBack>(
      [this](rpc::Incoming&, WriteBack::Request request) { return serve(request); });
  service_.rpc().serve<WriteAllBack>(
      [this](rpc::Incoming&, WriteAllBack::Request request) { return serve_all(request); });
}

Deadline Backing::after(std::uint32_t patience_ms) const noexcept {
  return service_.reactor().after(std::chrono::milliseconds(patience_ms));
}

std::uint32_t Backing::patience(Deadline deadline) const noexcept {
  const Duration left = deadline.at() - service_.reactor().now();
  return static_cast<std::uint32_t>(
      std::clamp<std::chrono::milliseconds>(
          std::chrono::duration_cast<std::chrono::milliseconds>(left), {}, kPatienceMax)
          .count());
}

Co<Result<wire::Empty>> Backing::serve(WriteBack::Request request) {
  Set* const set = service_.find_set(request.set);
  if (set == nullptr || set->gone || !is_backed(*set)) {
    co_return Error(Errc::not_found, "a set that is written back");
  }
  KRG_CO_TRY(co_await at_home(*set, request.object, request.drop, after(request.patience_ms)));
  co_return wire::Empty{};
}

Co<Result<wire::Empty>> Backing::serve_all(WriteAllBack::Request request) {
  // Who does not know the set is the home of none of its objects.
  Set* const set = service_.find_set(request.set);
  if (set != nullptr && !set->gone && is_backed(*set)) {
    KRG_CO_TRY(co_await write_all_back_here(*set, after(request.patience_ms)));
  }
  co_return wire::Empty{};
}

Co<Status> Backing::write_back(Set& set, ObjectId object, Deadline deadline) {
  return ask_home(set, object, false, deadline);
}

Co<Status> Backing::page_out(Set& set, ObjectId object, Deadline deadline) {
  return ask_home(set, object, true, deadline);
}

Co<Status> Backing::ask_home(Set& set, ObjectId object, bool drop, Deadline deadline) {
  for (;;) {
    const NodeId home = service_.home_of(set, object);
    Status how;
    if (home == service_.self()) {
      how = co_await at_home(set, object, drop, deadline);
    } else {
      const WriteBack::Request request{set.id, object, drop, patience(deadline)};
      const auto reply =
          co_await service_.rpc().call<WriteBack>(home, request, {.deadline = deadline});
      if (!reply) how = reply.error();
    }
    if (how || !may_move(how.error().code())) co_return how;
    if (deadline.passed(service_.reactor().now())) co_return how;
    KRG_CO_TRY(service_.may_serve());
    co_await reactor::sleep_for(service_.reactor(), kAskAgain);
  }
}

Co<Status> Backing::at_home(Set& set, ObjectId object, bool drop, Deadline deadline) {
  if (set.gone) co_return Error(Errc::not_found, "the set was destroyed");
  if (service_.home_of(set, object) != service_.self()) {
    co_return Error(Errc::stale, "this node is not the object's home");
  }
  if (drop) co_return co_await page_out_here(set, object, deadline);
  co_return co_await write_here(set, object, 0, deadline);
}

Co<Status> Backing::write_here(Set& set, ObjectId object, std::uint16_t flags, Deadline deadline) {
  const Message message{.kind = Kind::op_get,
                        .flags = static_cast<std::uint16_t>(kNoTouch | flags)};
  Op op(service_, set, object, message, deadline);
  if (const Status got = co_await op; !got) {
    co_return got.error().code() == Errc::not_found ? Status() : got;
  }
  const Lease lease = Service::lease(service_, set, object, op.take_block(), false);
  co_return co_await write_bytes(set, object, lease.bytes());
}

Co<Status> Backing::page_out_here(Set& set, ObjectId object, Deadline deadline) {
  const std::uint64_t bytes = service_.missing_bytes(set, object);
  // In a home that is full itself one at a time, or nobody would ever get rid of anything.
  const bool above = !service_.room().fits(bytes, Room::For::copy);
  if (service_.reactor().now() < set.unwritable_until || (above && above_limit_ > 0)) {
    co_return Error(Errc::would_block, "the home can not write it back now");
  }
  const Room::Promise promise(service_.room(), bytes);
  const Room::Promise turn(above_limit_, above ? 1 : 0);
  // At first by a read copy: what can not be written must not come to lie here.
  KRG_CO_TRY(co_await write_here(set, object, kTry, deadline));
  KRG_CO_TRY(co_await home_rests(set, object, deadline));
  const Message grab{.kind = Kind::op_grab, .flags = kNoTouch | kTry};
  Op op(service_, set, object, grab, deadline);
  if (const Status got = co_await op; !got) {
    co_return got.error().code() == Errc::not_found ? Status() : got;
  }
  Lease lease = Service::lease(service_, set, object, op.take_block(), true);
  HolderEntry* const entry = set.holders.find(object);
  if (entry == nullptr || entry->waiting) co_return Error(Errc::would_block, "it is in use");
  entry->held = true;
  const Status out = co_await forget(set, object, std::move(lease), deadline);
  service_.release_held(set, object);
  co_return out;
}

// The home hears of a grab's end after the lease has begun. Until then it takes no other request.
Co<Status> Backing::home_rests(Set& set, ObjectId object, Deadline deadline) {
  for (;;) {
    const Copies::Seen seen = service_.copies().see(set, object);
    const bool blank = seen.awake == nullptr && seen.slot == kNoSlot;
    const HomeEntry* const home = set.homes.find(object);
    if (set.gone || blank || (seen.awake != nullptr && seen.awake->waiting) || home == nullptr) {
      co_return Error(Errc::would_block, "others want it");
    }
    if (home->home.state == HomeState::idle) co_return Status();
    if (deadline.passed(service_.reactor().now())) co_return Error(Errc::timed_out);
    co_await reactor::sleep_for(service_.reactor(), kLookAgain);
  }
}

// Requires  the object is held.
Co<Status> Backing::forget(Set& set, ObjectId object, Lease lease, Deadline deadline) {
  const Epoch epoch = service_.epoch();
  KRG_CO_TRY(co_await write_bytes(set, object, lease.bytes()));
  if (set.gone || epoch != service_.epoch()) co_return Error(Errc::would_block, "the view changed");
  KRG_CO_TRY(co_await home_rests(set, object, deadline));
  const Message message{.kind = Kind::op_remove, .flags = kTry};
  Op removal(service_, set, object, message, deadline);
  // Asked again in another view it might remove what was written after this.
  removal.end_with_view();
  removal.begin();
  lease.put();
  co_return co_await removal;
}

Co<Status> Backing::write_bytes(Set& set, ObjectId object, std::span<const std::byte> bytes) {
  const HolderEntry* const entry = set.holders.find(object);
  if (entry == nullptr) co_return Error(Errc::not_found, "the set was destroyed");
  const std::uint64_t version = entry->holder.version;
  const auto last = set.written.find(object);
  if (version == (last == set.written.end() ? kTouched : last->second)) co_return Status();
  service_.counters().written_back->add();
  const Epoch epoch = service_.epoch();
  const Status written = co_await set.linker->write_back(set.id, object, bytes);
  if (!written) {
    set.unwritable_until = service_.reactor().now() + kUnwritable;
    co_return written;
  }
  if (!set.gone && epoch == service_.epoch()) set.written.insert_or_assign(object, version);
  co_return Status();
}

Co<Status> Backing::write_all_back_here(Set& set, Deadline deadline) {
  std::vector<ObjectId> objects;
  set.homes.for_each([&](const HomeEntry& entry) {
    const HomeState state = entry.home.state;
    if (state != HomeState::away && state != HomeState::absent && state != HomeState::lost) {
      objects.push_back(entry.id);
    }
  });
  const std::uint64_t bytes = std::max<std::uint64_t>(set.options.object_bytes, 1);
  const std::size_t most = std::clamp<std::size_t>(kSweptBytes / bytes, 1, kSweptAtOnce);
  const auto writers = static_cast<unsigned>(std::min(most, objects.size()));
  const auto sweep = std::make_shared<Sweep>(service_.reactor(), std::move(objects), deadline);
  const Sweep::User user(*sweep);
  sweep->writing.add(writers);
  for (unsigned i = 0; i < writers; ++i) service_.reactor().spawn(write_some(sweep, set));
  const Status ended = co_await sweep->writing.wait(deadline);
  if (!ended || sweep->late) co_return Error(Errc::timed_out, "writing back a set");
  co_return sweep->first;
}

Co<void> Backing::write_some(std::shared_ptr<Sweep> sweep, Set& set) {
  while (!sweep->given_up && sweep->next < sweep->objects.size()) {
    // What is here waits for nobody, so it would not notice by itself.
    sweep->late = sweep->deadline.passed(service_.reactor().now());
    if (sweep->late) break;
    const ObjectId object = sweep->objects[sweep->next++];
    const Status how = co_await at_home(set, object, false, sweep->deadline);
    const bool moved = !how && how.error().code() == Errc::stale;
    if (!how && !moved && sweep->first) sweep->first = how;
  }
  sweep->writing.done();
}

Co<Status> Backing::write_all_back(Set& set, Deadline deadline) {
  std::vector<NodeId> nodes;
  for (const NodeId node : service_.members()) {
    if (node != service_.self()) nodes.push_back(node);
  }
  const auto answers = co_await rpc::call_all<WriteAllBack>(
      service_.rpc(), std::move(nodes), WriteAllBack::Request{set.id, patience(deadline)},
      deadline);
  Status first = co_await write_all_back_here(set, deadline);
  for (const auto& answer : answers) {
    if (!answer.reply && first) first = answer.reply.error();
  }
  co_return first;
}

}  // namespace krg::kddm

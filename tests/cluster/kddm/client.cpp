#include "client.h"

#include <fmt/format.h>

#include "contents.h"
#include "krg/reactor/event.h"

namespace krg::kddm_sim {
namespace {

using kddm::Lease;
using kddm::ObjectId;
using kddm::OpOptions;
using std::chrono::microseconds;
using std::chrono::milliseconds;

// How late an operation may end after its deadline: the timer wheel's grain, and one look whether
// the node may serve.
constexpr Duration kLate = milliseconds(60);

// Counts a client while its frame lives, however it ends.
struct Running {
  explicit Running(std::uint64_t& n) : count(n) { ++count; }
  Running(const Running&) = delete;
  Running& operator=(const Running&) = delete;
  ~Running() { --count; }
  std::uint64_t& count;
};

Outcome outcome_of(Errc code) {
  switch (code) {
    case Errc::ok:
      return Outcome::ok;
    case Errc::not_found:
      return Outcome::absent;
    case Errc::lost:
      return Outcome::lost;
    case Errc::would_block:
    case Errc::shutting_down:  // So it is refused before it begins; what has begun goes on.
    case Errc::not_connected:
      return Outcome::busy;
    default:
      return Outcome::unknown;
  }
}

// Of an object of variable size: it follows from the value, so that the two can not be mixed.
std::uint64_t size_of(Value value, const SetPlan& set) {
  const std::uint64_t least = sizeof value;
  return least + value * 37 % (set.options.object_bytes - least + 1);
}

class Client {
 public:
  Client(Node& node, Work& work) : node_(node), work_(work) {}

  Co<void> run();
  Co<void> read(const SetPlan& set, std::uint64_t index, Value& seen);

 private:
  // An operation under way: where it is written down, and when it has to be over.
  struct Begun {
    OpRef ref;
    TimePoint deadline;
    Duration stopped;
    Epoch epoch;
  };

  sim::Random& random() { return work_.random; }
  Duration up_to(Duration most) {
    return Duration(
        static_cast<Duration::rep>(random().below(static_cast<std::uint64_t>(most.count()) + 1)));
  }
  OpOptions options();
  Co<bool> knows(const SetPlan& set);
  Co<void> one(const SetPlan& set, std::uint64_t index);
  Co<void> refused(const SetPlan& set, std::uint64_t index);
  Co<void> lease(OpKind kind, const SetPlan& set, std::uint64_t index);
  Co<void> simple(OpKind kind, const SetPlan& set, std::uint64_t index);
  Begun begin(OpKind kind, const SetPlan& set, std::uint64_t index, const OpOptions& options);
  bool end(const Begun& begun, const Status& how);
  Value look(const SetPlan& set, const Lease& lease);
  void complain(std::string_view what, const SetPlan& set, std::uint64_t index) {
    work_.complain(fmt::format("node {} life {}, object {} of set {}: {}", node_.id.value,
                               node_.life, index, set.id.value, what));
  }

  Node& node_;
  Work& work_;
};

OpOptions Client::options() {
  const Duration limit =
      random().chance(100) ? up_to(milliseconds(3)) : milliseconds(50) + up_to(milliseconds(800));
  return {node_.reactor().after(limit), random().chance(80), random().chance(120)};
}

Client::Begun Client::begin(OpKind kind, const SetPlan& set, std::uint64_t index,
                            const OpOptions& options) {
  const bool touches = (kind == OpKind::get || kind == OpKind::grab) && !options.no_touch;
  return {work_.recorder.begin(kind, set.first + index, node_.life, touches), options.deadline.at(),
          node_.stopped, node_.kddm.epoch()};
}

// False: it has failed, and that is written down. A lease is the caller's to write down.
bool Client::end(const Begun& begun, const Status& how) {
  const TimePoint now = node_.reactor().now();
  const Duration stopped = node_.stopped - begun.stopped;
  if (now > begun.deadline + kLate + stopped) {
    work_.complain(fmt::format("node {} life {}: an operation ended {} us after its deadline",
                               node_.id.value, node_.life, (now - begun.deadline).count() / 1000));
  }
  if (node_.kddm.epoch() != begun.epoch) work_.recorder.repeated(begun.ref);
  if (how) {
    ++work_.done;
    return true;
  }
  work_.recorder.end(begun.ref, outcome_of(how.error().code()));
  return false;
}

Value Client::look(const SetPlan& set, const Lease& lease) {
  const auto value = read_value(lease.bytes());
  const std::uint64_t size = lease.bytes().size();
  const bool sized = set.options.variable_size && value.value_or(kZeros) != kZeros;
  const bool fits = sized ? size == size_of(*value, set) : size <= set.options.object_bytes;
  const bool whole = set.options.variable_size || size == set.options.object_bytes;
  if (!value || !fits || !whole) {
    complain("bytes that nobody has written", set, lease.object().value);
  }
  return value.value_or(kZeros);
}

// Whether this node knows the set, now that it has asked.
Co<bool> Client::knows(const SetPlan& set) {
  const Deadline soon = node_.reactor().after(milliseconds(500));
  const auto known = co_await node_.kddm.options_of(set.id, soon);
  if (known) co_return true;
  const Errc code = known.error().code();
  const bool gone = code == Errc::not_found || code == Errc::lost;
  if (gone && !work_.recorder.may_have_forgotten()) {
    work_.complain(fmt::format("node {} life {}: set {} is gone: {}", node_.id.value, node_.life,
                               set.id.value, text(code)));
  }
  co_return false;
}

// A node that may not serve refuses at once, and nothing comes of that: not worth a history.
Co<void> Client::refused(const SetPlan& set, std::uint64_t index) {
  const bool writes = random().chance(500);
  const OpOptions how = options();
  const TimePoint begun = node_.reactor().now();
  Result<Lease> lease = Errc::cancelled;
  if (writes) {
    lease = co_await node_.kddm.grab(set.id, ObjectId{index}, how);
  } else {
    lease = co_await node_.kddm.get(set.id, ObjectId{index}, how);
  }
  const bool at_once = node_.reactor().now() == begun;
  if (lease || !at_once) complain("not refused by a node that may not serve", set, index);
}

Co<void> Client::lease(OpKind kind, const SetPlan& set, std::uint64_t index) {
  const OpOptions how = options();
  const Begun begun = begin(kind, set, index, how);
  Result<Lease> lease = Errc::cancelled;
  if (kind == OpKind::get) {
    lease = co_await node_.kddm.get(set.id, ObjectId{index}, how);
  } else {
    lease = co_await node_.kddm.grab(set.id, ObjectId{index}, how);
  }
  if (!end(begun, lease ? Status() : Status(lease.error()))) co_return;
  if (!node_.serving()) complain("a lease at a node that may not serve", set, index);
  const Value seen = look(set, *lease);
  work_.recorder.leased(begun.ref, seen);
  const Duration hold = random().chance(500) ? Duration(0) : up_to(milliseconds(4));
  if (hold > Duration(0)) co_await reactor::sleep_for(node_.reactor(), hold);
  if (look(set, *lease) != seen) complain("the bytes changed under a lease", set, index);
  if (kind == OpKind::grab && set.options.object_bytes > 0 && random().chance(800)) {
    const Value wrote = work_.recorder.new_value();
    if (set.options.variable_size) {
      const Status resized = lease->resize(size_of(wrote, set));
      const bool full = !resized && resized.error().code() == Errc::no_space;
      if (!resized && !full) complain("can not be resized", set, index);
      if (full) {
        lease->put();
        co_return work_.recorder.released(begun.ref);
      }
    }
    write_value(lease->writable(), wrote);
    if (random().chance(300)) co_await reactor::sleep_for(node_.reactor(), up_to(milliseconds(1)));
    work_.recorder.put(begun.ref, wrote);
  }
  lease->put();
  work_.recorder.released(begun.ref);
}

Co<void> Client::simple(OpKind kind, const SetPlan& set, std::uint64_t index) {
  const OpOptions how = options();
  const Begun begun = begin(kind, set, index, how);
  Status status;
  if (kind == OpKind::remove) {
    status = co_await node_.kddm.remove(set.id, ObjectId{index}, how);
  } else if (kind == OpKind::sync) {
    status = co_await node_.kddm.sync(set.id, ObjectId{index}, how);
  } else {
    status = co_await node_.kddm.flush(set.id, ObjectId{index}, how);
  }
  if (end(begun, status)) work_.recorder.end(begun.ref, Outcome::ok);
}

Co<void> Client::one(const SetPlan& set, std::uint64_t index) {
  if (!node_.serving()) {
    if (node_.served) co_await refused(set, index);
    co_return;
  }
  node_.served = true;
  const std::uint64_t dice = random().below(100);
  if (dice < 40) {
    co_await lease(OpKind::get, set, index);
  } else if (dice < 80) {
    co_await lease(OpKind::grab, set, index);
  } else if (dice < 88) {
    co_await simple(OpKind::sync, set, index);
  } else if (dice < 95) {
    co_await simple(OpKind::flush, set, index);
  } else {
    co_await simple(OpKind::remove, set, index);
  }
}

Co<void> Client::run() {
  const Running running(work_.clients);
  while (!work_.stopping) {
    const SetPlan& set = work_.sets[random().below(work_.sets.size())];
    const bool known = co_await knows(set);
    if (known) co_await one(set, random().below(set.objects));
    const bool idle = !known || !node_.serving();
    const Duration pause =
        up_to(idle ? std::max<Duration>(work_.pause, milliseconds(20)) : work_.pause);
    co_await reactor::sleep_for(node_.reactor(), pause);
  }
}

Co<void> Client::read(const SetPlan& set, std::uint64_t index, Value& seen) {
  seen = kNotTold;
  const bool known = co_await knows(set);
  if (!known) co_return;
  const OpOptions how{node_.reactor().after(std::chrono::seconds(5)), false, true};
  const Begun begun = begin(OpKind::get, set, index, how);
  Result<Lease> lease = co_await node_.kddm.get(set.id, ObjectId{index}, how);
  const auto full = [&] { return !lease && lease.error().code() == Errc::no_space; };
  // Others may be about to take what is in its way.
  for (int again = 0; again < 20 && full(); ++again) {
    co_await reactor::sleep_for(node_.reactor(), milliseconds(20));
    lease = co_await node_.kddm.get(set.id, ObjectId{index}, how);
  }
  if (end(begun, lease ? Status() : Status(lease.error()))) {
    seen = look(set, *lease);
    work_.recorder.leased(begun.ref, seen);
    work_.recorder.released(begun.ref);
    co_return;
  }
  const Errc code = lease.error().code();
  if (full() && node_.kddm.memory_use().limit != 0) co_return;
  seen = code == Errc::lost ? kLost : kAbsent;
  if (code == Errc::lost || code == Errc::not_found) co_return;
  complain(fmt::format("can not be read at rest: {}", text(code)), set, index);
}

}  // namespace

Co<void> use_objects(Node& node, Work& work) {
  Client client(node, work);
  co_await client.run();
}

Co<void> read_all(Node& node, Work& work, std::vector<Value>& seen) {
  const Running running(work.clients);
  Client client(node, work);
  for (const SetPlan& set : work.sets) {
    for (std::uint64_t index = 0; index < set.objects; ++index) {
      co_await client.read(set, index, seen[set.first + index]);
    }
  }
}

}  // namespace krg::kddm_sim

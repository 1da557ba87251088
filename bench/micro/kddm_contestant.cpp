#include "kddm_contestant.h"

#include <algorithm>
#include <map>
#include <utility>

#include "kddm_scenarios.h"
#include "krg/reactor/clock.h"
#include "krg/reactor/event.h"
#include "nodes.h"

namespace krg::bench {
namespace {

using harness::Baton;
using harness::Job;
using harness::Kind;
using harness::Meeting;
using harness::Sample;
using harness::Settings;
using harness::Side;
using kddm::Kddm;
using kddm::ObjectId;
using kddm::OpOptions;
using kddm::SetId;
using Clock = std::chrono::steady_clock;

// Far beyond any run: an operation that takes so long is a failure of the bench.
constexpr std::chrono::seconds kLimit{10};
constexpr std::uint64_t kStreamMax = 16384;
constexpr std::uint64_t kAheadMax = 256;
constexpr unsigned kArrangedAtOnce = 32;
constexpr std::uint64_t kStreamBytes = std::uint64_t{64} << 20;

// Objects that no batch before has used.
struct Objects {
  SetId set;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.set, m.first, m.count); }
};

// Has a node do something with each of some objects, one after the other.
struct Arrange {
  static constexpr ServiceId kId{0x7f05};
  static constexpr const char* kName = "bench.arrange";
  struct Request {
    Objects objects;
    KddmOp op = KddmOp::get;
    static void wire_fields(auto& m, auto&& visit) { visit(m.objects, m.op); }
  };
  using Reply = wire::Empty;
};

auto ask(Kddm& kddm, bool read, SetId set, ObjectId object, OpOptions options) {
  return read ? kddm.get(set, object, options) : kddm.grab(set, object, options);
}

Co<Status> one(Kddm& kddm, KddmOp op, SetId set, ObjectId object, OpOptions options) {
  if (op == KddmOp::remove) co_return co_await kddm.remove(set, object, options);
  const auto lease = co_await ask(kddm, op == KddmOp::get, set, object, options);
  if (!lease) co_return lease.error();
  co_return Status();
}

class KddmContestant final : public harness::Contestant {
 public:
  KddmContestant(const Settings& settings, unsigned nodes) : nodes_(settings, nodes) {}

  Status open(Side side, Meeting& meeting) override {
    KRG_TRY(nodes_.open(side, meeting));
    nodes_.for_each([this](rpc::Rpc& rpc, Kddm& kddm) {
      rpc.serve<Arrange>(
          [this, &kddm](rpc::Incoming&, Arrange::Request request) -> Co<Result<wire::Empty>> {
            KRG_CO_TRY(co_await each(kddm, request.op, request.objects));
            co_return wire::Empty{};
          });
    });
    return {};
  }

  void serve(const Job&, const Baton& baton) override { nodes_.serve(baton); }

  Result<Sample> measure(const Job& job) override {
    const KddmScenario& scenario = kddm_scenarios()[job.detail];
    latencies_ = {};
    done_ = 0;
    took_ = {};
    const auto end = Clock::now() + job.length;
    do {
      Objects objects{kddm::kNoSet, next_, batch_of(job)};
      next_ += objects.count;
      KRG_TRY(nodes_.run(arrange(scenario, job.size, objects)));
      KRG_TRY(job.kind == Kind::latency ? nodes_.run(timed(scenario.op, objects))
                                        : stream(job, scenario.op, objects));
      if (scenario.op != KddmOp::remove) KRG_TRY(nodes_.run(remove_all(scenario, objects)));
    } while (Clock::now() < end);
    if (job.kind == Kind::latency) return latencies_.summary();
    const double rate = static_cast<double>(done_) / took_.count();
    return Sample{job.kind == Kind::rate ? rate : rate * static_cast<double>(job.size) * 1e-6, 0};
  }

 private:
  static std::uint64_t batch_of(const Job& job) {
    if (job.kind == Kind::latency) return kObjects;
    return job.kind == Kind::rate
               ? kStreamObjects
               : std::clamp<std::uint64_t>(kStreamBytes / job.size, 1, kStreamMax);
  }
  OpOptions within() { return {nodes_.reactor().after(kLimit)}; }

  // A few at once, for the batch to be there soon.
  Co<Status> each(Kddm& kddm, KddmOp op, Objects objects) {
    std::uint64_t next = 0;
    Status status;
    reactor::WaitGroup loops(nodes_.reactor());
    loops.add(kArrangedAtOnce);
    for (unsigned i = 0; i < kArrangedAtOnce; ++i) {
      nodes_.reactor().spawn(each_loop(kddm, op, objects, next, status, loops));
    }
    // Each of their operations has a deadline.
    KRG_CO_TRY(co_await loops.wait(Deadline::never()));
    co_return status;
  }
  Co<void> each_loop(Kddm& kddm, KddmOp op, Objects objects, std::uint64_t& next, Status& status,
                     reactor::WaitGroup& loops) {
    while (next < objects.count && status) {
      const ObjectId object{objects.first + next++};
      const Status ended = co_await one(kddm, op, objects.set, object, within());
      if (!ended) status = ended;
    }
    loops.done();
  }
  Co<Status> at(unsigned node, KddmOp op, Objects objects) {
    if (node == 0) co_return co_await each(nodes_.kddm(), op, objects);
    const Arrange::Request request{objects, op};
    const rpc::CallOptions options{.deadline = nodes_.reactor().after(kLimit)};
    KRG_CO_TRY(co_await nodes_.rpc().call<Arrange>(NodeId{node}, request, options));
    co_return Status();
  }

  // Brings about the state in which the scenario begins.
  Co<Status> arrange(const KddmScenario& scenario, std::size_t size, Objects& objects) {
    SetId& set = sets_[{size, scenario.home}];
    if (set == kddm::kNoSet) {
      kddm::SetOptions options;
      options.object_bytes = size;
      options.policy = kddm::HomePolicy::fixed;
      options.home = NodeId{scenario.home};
      KRG_CO_TRY_ASSIGN(set, co_await nodes_.kddm().create(options, within().deadline));
    }
    objects.set = set;
    if (scenario.writer != kNobody) KRG_CO_TRY(co_await at(scenario.writer, KddmOp::grab, objects));
    for (unsigned reader = 2; reader <= scenario.copies; ++reader) {
      KRG_CO_TRY(co_await at(reader, KddmOp::get, objects));
    }
    if (scenario.own) KRG_CO_TRY(co_await at(0, KddmOp::get, objects));
    co_return Status();
  }
  Co<Status> remove_all(const KddmScenario& scenario, Objects objects) {
    return at(scenario.home, KddmOp::remove, objects);
  }

  Co<Status> timed(KddmOp op, Objects objects) {
    if (op >= KddmOp::hit_get) return hits(op, objects);
    return op == KddmOp::remove ? removals(objects) : leases(op, objects);
  }

  // From the call to the lease; it is put before the next one begins.
  Co<Status> leases(KddmOp op, Objects objects) {
    const double us_per_tick = 1e-3 / reactor::ticks_per_ns();
    Kddm& kddm = nodes_.kddm();
    for (std::uint64_t i = 0; i < objects.count; ++i) {
      const ObjectId object{objects.first + i};
      const std::uint64_t from = reactor::ticks();
      const auto lease = co_await ask(kddm, op == KddmOp::get, objects.set, object, within());
      const std::uint64_t to = reactor::ticks();
      if (!lease) co_return lease.error();
      latencies_.add(static_cast<double>(to - from) * us_per_tick);
    }
    co_return Status();
  }

  Co<Status> removals(Objects objects) {
    const double us_per_tick = 1e-3 / reactor::ticks_per_ns();
    for (std::uint64_t i = 0; i < objects.count; ++i) {
      const ObjectId object{objects.first + i};
      const std::uint64_t from = reactor::ticks();
      KRG_CO_TRY(co_await nodes_.kddm().remove(objects.set, object, within()));
      latencies_.add(static_cast<double>(reactor::ticks() - from) * us_per_tick);
    }
    co_return Status();
  }

  // Lease and put together, all of a batch in one time: a clock takes as long as a few of them.
  Co<Status> hits(KddmOp op, Objects objects) {
    Kddm& kddm = nodes_.kddm();
    constexpr unsigned kRounds = 16;
    for (unsigned round = 0; round < kRounds; ++round) {
      const std::uint64_t from = reactor::ticks();
      for (std::uint64_t i = 0; i < objects.count; ++i) {
        const ObjectId object{objects.first + i};
        const auto lease = co_await ask(kddm, op == KddmOp::hit_get, objects.set, object, within());
        if (!lease) co_return lease.error();
      }
      const auto took = static_cast<double>(reactor::ticks() - from);
      latencies_.add(took / reactor::ticks_per_ns() / static_cast<double>(objects.count));
    }
    co_return Status();
  }

  Status stream(const Job& job, KddmOp op, Objects objects) {
    std::vector<Co<Status>> loops;
    std::uint64_t next = 0;
    std::uint64_t window = job.window;
    if (job.kind == Kind::bandwidth) window = std::clamp(job.reply / job.size, window, kAheadMax);
    if (op == KddmOp::range_get) {
      loops.push_back(range(objects));
    } else {
      for (std::uint64_t i = 0; i < window; ++i) loops.push_back(stream_loop(objects, next));
    }
    const auto from = Clock::now();
    const Status ended = nodes_.run(std::move(loops));
    took_ += Clock::now() - from;
    done_ += objects.count;
    return ended;
  }
  Co<Status> stream_loop(Objects objects, std::uint64_t& next) {
    while (next < objects.count) {
      const ObjectId object{objects.first + next++};
      KRG_CO_TRY(co_await nodes_.kddm().get(objects.set, object, within()));
    }
    co_return Status();
  }

  Co<Status> range(Objects objects) {
    kddm::Range range =
        nodes_.kddm().get_range(objects.set, ObjectId{objects.first}, objects.count, within());
    while (!range.done()) KRG_CO_TRY(co_await range.next());
    co_return Status();
  }

  Nodes nodes_;
  std::map<std::pair<std::size_t, std::uint8_t>, SetId> sets_;  // By object size and home.
  std::uint64_t next_ = 0;
  harness::Latencies latencies_;
  std::uint64_t done_ = 0;
  std::chrono::duration<double> took_{0};
};

Co<Status> nothing() { co_return Status(); }

Co<Status> await_many(harness::Latencies& latencies, const Job& job) {
  const auto end = Clock::now() + job.length;
  do {
    const std::uint64_t from = reactor::ticks();
    for (std::uint64_t i = 0; i < kObjects; ++i) KRG_CO_TRY(co_await nothing());
    const auto took = static_cast<double>(reactor::ticks() - from);
    latencies.add(took / reactor::ticks_per_ns() / static_cast<double>(kObjects));
  } while (Clock::now() < end);
  co_return Status();
}

Co<void> keep(Co<Status> work, Status& into) { into = co_await std::move(work); }

}  // namespace

std::unique_ptr<harness::Contestant> kddm_contestant(const Settings& settings, unsigned nodes) {
  return std::make_unique<KddmContestant>(settings, nodes);
}

harness::MakeContestant coroutine_contestant() {
  return harness::solo([](const Job& job) -> Result<Sample> {
    const reactor::RealClock clock;
    reactor::Reactor reactor(clock, reactor::Reactor::Waiting::poll);
    harness::Latencies latencies;
    Status status;
    reactor.spawn(keep(await_many(latencies, job), status));
    reactor.turn();
    KRG_TRY(status);
    return latencies.summary();
  });
}

}  // namespace krg::bench

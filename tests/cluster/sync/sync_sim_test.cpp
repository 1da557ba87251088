// Goal    waits and wake-ups between nodes: no wake-up is lost, whatever happens to whom it goes.
// Method  a simulated cluster; what is waited for are numbers of the test itself, which change at
//         once for everybody, as a shared object does.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <vector>

#include "krg/reactor/event.h"
#include "krg/sim/random.h"
#include "krg/sync/sync.h"
#include "sync_cluster.h"

namespace krg::sync {
namespace {

using namespace std::chrono_literals;
using kddm::ObjectId;
using kddm::SetId;

// --- One thing at a time ------------------------------------------------------------------------

struct SyncSimTest : ::testing::Test {
  SyncCluster all{3, 1};
  // Of the node 0.
  Key key = all.key_at(0, 0);

  Ticket prepare(std::uint32_t node) {
    return *all.nodes().run(node, all.sync(node).prepare(key, all.soon()));
  }
  void wait(std::uint32_t node, std::optional<Status>& result, Duration time = 60s) {
    all.nodes().start(node, all.sync(node).wait(key, prepare(node), kAnyBit, all.in(time)), result);
    all.world().run_for(10ms);
  }
  std::uint32_t wake(std::uint32_t node, std::uint32_t count = 1) {
    const auto woken = all.nodes().run(node, all.sync(node).wake(key, count, kAnyBit, all.soon()));
    EXPECT_TRUE(woken);
    return woken ? *woken : 0;
  }
};

TEST_F(SyncSimTest, AWakeUpGoesToTheFirstOfAnyNode) {
  std::optional<Status> first, second, third;
  wait(1, first);
  wait(2, second);
  wait(0, third);
  EXPECT_EQ(all.sync(0).queued(key), 3u);
  EXPECT_EQ(wake(2), 1u);
  all.world().run_for(10ms);
  EXPECT_TRUE(first && *first && !second && !third);
  EXPECT_EQ(wake(1, kAll), 2u);
  all.world().run_for(10ms);
  EXPECT_TRUE(second && *second && third && *third);
  EXPECT_EQ(wake(0), 0u);
}

TEST_F(SyncSimTest, AWakeUpAfterTheTicketIsNotMissed) {
  const Ticket ticket = prepare(1);
  wake(2);
  const Status how = all.nodes().run(1, all.sync(1).wait(key, ticket, kAnyBit, all.in(1s)));
  EXPECT_TRUE(how);
}

TEST_F(SyncSimTest, WhoseTimeIsUpLeavesTheWakeUpToTheNext) {
  std::optional<Status> first, second;
  wait(1, first, 50ms);
  wait(2, second);
  all.world().run_for(100ms);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->error().code(), Errc::timed_out);
  EXPECT_EQ(all.sync(0).queued(key), 1u);
  EXPECT_EQ(wake(0), 1u);
  all.world().run_for(10ms);
  EXPECT_TRUE(second && *second);
}

TEST_F(SyncSimTest, ANodeThatDoesNotAnswerLeavesItToTheNext) {
  std::optional<Status> first, second;
  wait(1, first);
  wait(2, second);
  all.world().stop(NodeId{1});
  wake(0);
  all.world().run_for(500ms);
  EXPECT_FALSE(second);
  all.world().run_for(1s);
  EXPECT_TRUE(second && *second);
  all.world().resume(NodeId{1});
  all.world().run_for(2s);
  EXPECT_TRUE(first && *first) << "it is in no queue any more";
}

TEST_F(SyncSimTest, ANewViewLetsEverybodyThrough) {
  std::optional<Status> first, second;
  wait(1, first);
  wait(2, second);
  const Ticket old = prepare(1);
  all.kill(0);
  all.enter();
  all.world().run_for(10ms);
  EXPECT_TRUE(first && *first && second && *second);
  EXPECT_TRUE(all.nodes().run(1, all.sync(1).wait(key, old, kAnyBit, all.in(1s))));
  EXPECT_NE(prepare(1), old);
}

TEST_F(SyncSimTest, AHomeOfAnotherViewIsAskedAgain) {
  all.kill(2);
  all.begin_view();
  all.enter(1);
  std::optional<Result<Ticket>> ticket;
  all.nodes().start(1, all.sync(1).prepare(key, all.soon()), ticket);
  all.world().run_for(100ms);
  EXPECT_FALSE(ticket);
  all.enter(0);
  all.world().run_for(100ms);
  ASSERT_TRUE(ticket);
  EXPECT_TRUE(*ticket);
}

TEST_F(SyncSimTest, NothingIsWaitedForInASetThatIsNone) {
  const Key none{SetId{4711}, ObjectId{0}, 0};
  EXPECT_EQ(all.nodes().run(1, all.sync(1).prepare(none, all.soon())).error().code(),
            Errc::not_found);
  EXPECT_EQ(all.nodes().run(1, all.sync(1).wake(none, 1, kAnyBit, all.soon())).error().code(),
            Errc::not_found);
}

// --- By chance ----------------------------------------------------------------------------------

// Numbers that some take one of, and others add one to.
class Chance {
 public:
  explicit Chance(std::uint64_t seed, bool faults)
      : all_(4, seed), random_(seed * 7919 + 1), faults_(faults) {}

  void run() {
    // Few: a further wake-up, or a new view, would make up for one that was lost. Or many, so that
    // much goes wrong at a time.
    const bool few = !faults_ || random_.chance(500);
    const std::uint64_t steps = few ? random_.between(5, 40) : 300;
    for (std::uint64_t step = 0; step < steps; ++step) {
      const std::uint64_t what = random_.below(100);
      if (what < 40) {
        begin(take(node(), random_.below(kKeys), time()));
      } else if (what < 80) {
        begin(give(node(), random_.below(kKeys)));
      } else if (faults_) {
        fault(random_.below(12));
      }
      // Mostly while messages are still under way.
      all_.world().run_for(
          Duration(random_.below(few && random_.chance(800) ? 30'000 : 2'000'000)));
    }
    heal();
    // All calls are over, and nobody's time is up.
    all_.world().run_for(100s);
    for (std::uint64_t k = 0; k < kKeys; ++k) {
      EXPECT_TRUE(values_[k] == 0 || waiting_[k] == 0)
          << waiting_[k] << " wait for what is there: " << values_[k] << " of key " << k;
    }
  }
  std::uint64_t taken() const { return taken_; }
  std::uint64_t waits() const { return waits_; }
  std::uint64_t in_vain() const { return in_vain_; }

 private:
  static constexpr std::size_t kKeys = 2;

  std::uint32_t node() {
    for (;;) {
      const auto node = static_cast<std::uint32_t>(random_.below(all_.size()));
      if (all_.lives(node)) return node;
    }
  }
  // To wait: for ever, as it were, or so long that it is up in the middle.
  Duration time() { return random_.chance(400) ? Duration(random_.below(200'000)) : 1000s; }
  void begin(std::pair<std::uint32_t, Co<void>> work) {
    all_.reactor(work.first).spawn(std::move(work.second));
    all_.world().wake(NodeId{work.first});
  }
  struct Counted {
    explicit Counted(int& c) : count(c) { ++count; }
    Counted(const Counted&) = delete;
    Counted& operator=(const Counted&) = delete;
    ~Counted() { --count; }
    int& count;
  };

  std::pair<std::uint32_t, Co<void>> take(std::uint32_t node, std::uint64_t k, Duration time) {
    return {node, take_one(all_.sync(node), k, all_.in(time), random_.chance(100))};
  }
  // `dies`: as a task does that was woken and is killed then.
  Co<void> take_one(Sync& sync, std::uint64_t k, Deadline deadline, bool dies) {
    const Counted waits(waiting_[k]);
    const Key key = all_.key(k);
    for (;;) {
      const auto ticket = co_await sync.prepare(key, deadline);
      if (values_[k] > 0) {
        --values_[k];
        ++taken_;
        co_return;
      }
      if (!ticket && ticket.error().code() == Errc::timed_out) co_return;
      if (!ticket) continue;
      ++waits_;
      const Status how = co_await sync.wait(key, *ticket, kAnyBit, deadline);
      if (!how) co_return;
      if (dies) {
        sync.pass_on(key, 1);
        co_return;
      }
      if (values_[k] == 0) ++in_vain_;
    }
  }
  std::pair<std::uint32_t, Co<void>> give(std::uint32_t node, std::uint64_t k) {
    return {node, give_one(all_.sync(node), k)};
  }
  Co<void> give_one(Sync& sync, std::uint64_t k) {
    ++values_[k];
    EXPECT_TRUE(co_await sync.wake(all_.key(k), 1, kAnyBit, all_.in(1000s)));
  }

  void fault(std::uint64_t kind) {
    const std::uint32_t a = node(), b = node();
    switch (kind) {
      case 0:  // With a view of each node's own time.
        if (dead_ || a == 0) return;
        all_.kill(a);
        dead_ = a;
        all_.world().run_for(Duration(random_.below(50'000'000)));
        all_.enter();
        break;
      case 1:
        if (dead_) all_.restart(*std::exchange(dead_, std::nullopt));
        all_.enter();
        break;
      case 2:
      case 3:
        if (stopped_) return;
        stopped_ = a;
        all_.world().stop(NodeId{a});
        break;
      case 4:
      case 5:
      case 6:
        resume();
        break;
      case 7:
        all_.begin_view();
        for (std::uint32_t i = 0; i < all_.size(); ++i) {
          if (!all_.lives(i)) continue;
          all_.enter(i);
          all_.world().run_for(Duration(random_.below(3'000'000)));
        }
        break;
      case 8:
      case 9:
        if (cut_ || a == b) return;
        cut_ = {a, b};
        all_.world().cut(NodeId{a}, NodeId{b});
        break;
      default:
        mend();
    }
    if (random_.chance(100)) all_.world().run_for(Duration(random_.below(30'000'000'000)));
  }
  void resume() {
    if (!stopped_) return;
    if (all_.lives(*stopped_)) all_.world().resume(NodeId{*stopped_});
    stopped_.reset();
  }
  void mend() {
    if (cut_) all_.world().mend(NodeId{cut_->first}, NodeId{cut_->second});
    cut_.reset();
  }
  void heal() {
    resume();
    mend();
  }

  SyncCluster all_;
  sim::Random random_;
  const bool faults_;
  std::array<int, kKeys> values_{};
  std::array<int, kKeys> waiting_{};
  std::uint64_t taken_ = 0, waits_ = 0, in_vain_ = 0;
  std::optional<std::uint32_t> dead_, stopped_;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> cut_;
};

TEST(SyncSim, WithoutFaultsNobodyWaitsForWhatIsThere) {
  std::uint64_t taken = 0, waits = 0, in_vain = 0;
  for (std::uint64_t seed = 1; seed <= 2000 / kFewer && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Chance chance(seed, false);
    chance.run();
    taken += chance.taken();
    waits += chance.waits();
    in_vain += chance.in_vain();
  }
  EXPECT_GT(waits, 1000u);
  EXPECT_GT(taken, 1000u);
  EXPECT_LT(in_vain, waits / 4) << "who waits is woken for a reason, mostly";
}

TEST(SyncSim, WithFaultsNobodyWaitsForWhatIsThere) {
  for (std::uint64_t seed = 1; seed <= 3000 / kFewer && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Chance(seed, true).run();
  }
}

}  // namespace
}  // namespace krg::sync

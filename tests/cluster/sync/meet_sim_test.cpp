// Goal    meetings: nobody goes on before all have come, and all do then, whatever happens to nodes
//         and connections; the words of each round are those of all, once.
// Method  a simulated cluster. Each task gives a bit of its own, so a sum says who was counted.
#include <gtest/gtest.h>

#include <array>
#include <optional>
#include <vector>

#include "krg/sim/random.h"
#include "krg/sync/sync.h"
#include "sync_cluster.h"

namespace krg::sync {
namespace {

using namespace std::chrono_literals;
using Reply = Result<calls::Meet::Reply>;

calls::Meet::Request meeting(Key key, std::uint32_t parties, std::uint64_t word) {
  calls::Meet::Request request;
  request.key = key;
  request.parties = parties;
  request.reduce = Reduce::sum;
  request.words = {word};
  return request;
}

// --- One thing at a time ------------------------------------------------------------------------

struct MeetSimTest : ::testing::Test {
  SyncCluster all{3, 1};
  Key key = all.key_at(0, 0);

  void come(std::uint32_t node, std::uint32_t parties, std::optional<Reply>& reply,
            std::uint64_t word = 1, Duration time = 100s) {
    all.nodes().start(node, all.sync(node).meet(meeting(key, parties, word), all.in(time)), reply);
  }
  std::uint64_t notices() {
    std::uint64_t sum = 0;
    for (std::uint32_t i = 0; i < 3; ++i) sum += all.lives(i) ? all.sync(i).notices() : 0;
    return sum;
  }
};

TEST_F(MeetSimTest, AllGoOnWhenTheLastHasComeWithOneNoticeOfEachNode) {
  for (int round = 0; round < 5; ++round) {
    std::array<std::optional<Reply>, 6> replies;
    const std::uint64_t before = notices();
    for (std::uint32_t i = 0; i < 5; ++i) come(i % 3, 6, replies[i], i);
    all.world().run_for(10ms);
    for (const auto& reply : replies) EXPECT_FALSE(reply);
    come(2, 6, replies[5], 5);
    all.world().run_for(10ms);
    int lasts = 0;
    for (const auto& reply : replies) {
      ASSERT_TRUE(reply && *reply);
      EXPECT_EQ((*reply)->words, std::vector<std::uint64_t>{15});
      lasts += (*reply)->last ? 1 : 0;
    }
    EXPECT_EQ(lasts, 1);
    // The node whose task was late has told of the others after a while. At first all ask which
    // round it is.
    EXPECT_LE(notices() - before, round == 0 ? 7u : 4u);
    EXPECT_EQ(all.sync(0).meeting(), 0u);
  }
  std::array<std::optional<Reply>, 6> replies;
  const std::uint64_t before = notices();
  for (std::uint32_t i = 0; i < 6; ++i) come(i % 3, 6, replies[i]);
  all.world().run_for(10ms);
  EXPECT_EQ(notices() - before, 3u) << "as many as the last time, at once";
}

TEST_F(MeetSimTest, WhoseTimeIsUpHasNotCome) {
  std::optional<Reply> first, second, third;
  come(1, 2, first, 1, 50ms);
  all.world().run_for(100ms);
  ASSERT_TRUE(first);
  EXPECT_EQ(first->error().code(), Errc::timed_out);
  come(2, 2, second, 2);
  all.world().run_for(100ms);
  EXPECT_FALSE(second);
  come(0, 2, third, 4);
  all.world().run_for(10ms);
  ASSERT_TRUE(second && *second && third && *third);
  EXPECT_EQ((*second)->words, std::vector<std::uint64_t>{6});
}

TEST_F(MeetSimTest, OneMoreThanAreToMeetWaitsForTheNextRound) {
  std::array<std::optional<Reply>, 4> replies;
  for (std::uint32_t i = 0; i < 3; ++i) come(i, 2, replies[i]);
  all.world().run_for(50ms);
  EXPECT_EQ(int{replies[0].has_value()} + int{replies[1].has_value()} + int{replies[2].has_value()},
            2);
  come(1, 2, replies[3]);
  all.world().run_for(50ms);
  for (const auto& reply : replies) EXPECT_TRUE(reply && *reply);
}

TEST_F(MeetSimTest, AHomeThatDiesLosesNobody) {
  std::array<std::optional<Reply>, 3> replies;
  come(1, 3, replies[0], 1);
  come(2, 3, replies[1], 2);
  all.world().run_for(50ms);
  all.kill(0);
  all.enter();
  all.world().run_for(50ms);
  EXPECT_FALSE(replies[0] || replies[1]);
  come(2, 3, replies[2], 4);
  all.world().run_for(50ms);
  for (const auto& reply : replies) {
    ASSERT_TRUE(reply && *reply);
    EXPECT_EQ((*reply)->words, std::vector<std::uint64_t>{7});
  }
}

// The home has told one node of the end and dies before it has told the other.
TEST_F(MeetSimTest, AnEndThatOneHasHeardOfStands) {
  std::array<std::optional<Reply>, 3> replies;
  come(1, 2, replies[0], 1);
  all.world().run_for(50ms);
  all.world().stop(NodeId{1});
  come(2, 2, replies[1], 2);
  all.world().run_for(50ms);
  ASSERT_TRUE(replies[1] && *replies[1]);
  EXPECT_FALSE(replies[0]);
  all.kill(0);
  all.world().cut(NodeId{0}, NodeId{1});
  all.world().resume(NodeId{1});
  all.enter();
  all.world().run_for(50ms);
  ASSERT_TRUE(replies[0] && *replies[0]);
  EXPECT_EQ((*replies[0])->words, std::vector<std::uint64_t>{3});
}

TEST_F(MeetSimTest, WhatMakesNoMeetingIsRefused) {
  std::optional<Reply> nobody, one, other;
  come(1, 0, nobody);
  come(1, 2, one);
  come(1, 3, other);
  all.world().run_for(10ms);
  ASSERT_TRUE(nobody && other);
  EXPECT_EQ(nobody->error().code(), Errc::invalid_argument);
  EXPECT_EQ(other->error().code(), Errc::invalid_argument);
  key = {kddm::SetId{4711}, kddm::ObjectId{0}, 0};
  std::optional<Reply> nowhere;
  come(1, 2, nowhere);
  all.world().run_for(100ms);
  ASSERT_TRUE(nowhere);
  EXPECT_EQ(nowhere->error().code(), Errc::not_found);
}

// --- By chance ----------------------------------------------------------------------------------

// Tasks on three of four nodes; the fourth one, at home to some, dies and comes back.
class Chance {
 public:
  Chance(std::uint64_t seed, bool faults)
      : all_(4, seed),
        random_(seed * 6151 + 1),
        faults_(faults),
        key_(all_.key_at(static_cast<std::uint32_t>(random_.below(2)) * 3, 0)) {}

  void run() {
    for (std::uint32_t i = 0; i < kTasks; ++i) {
      const std::uint32_t node = i % 3;
      all_.reactor(node).spawn(work(all_.sync(node), i));
      all_.world().wake(NodeId{node});
    }
    for (int step = 0; step < 60; ++step) {
      if (faults_) fault(random_.below(10));
      all_.world().run_for(Duration(random_.below(random_.chance(500) ? 100'000 : 10'000'000)));
    }
    heal();
    all_.world().run_for(60s);
    for (const std::uint64_t rounds : rounds_) EXPECT_EQ(rounds, kRounds);
  }
  std::uint64_t late() const noexcept { return late_; }

 private:
  static constexpr std::uint32_t kTasks = 7;
  static constexpr std::uint64_t kRounds = 12;

  Co<void> work(Sync& sync, std::uint32_t me) {
    while (rounds_[me] < kRounds) {
      co_await reactor::sleep_for(
          all_.reactor(me % 3), Duration(random_.below(random_.chance(800) ? 50'000 : 8'000'000)));
      // Whose time is up comes again, as if nothing had been.
      const bool hurries = !faults_ && random_.chance(200);
      inside_[me] = true;
      const auto time = hurries ? Duration(random_.below(3'000'000)) : Duration(1000s);
      const auto reply = co_await sync.meet(meeting(key_, kTasks, 1u << me), all_.in(time));
      if (!reply) {
        EXPECT_TRUE(hurries && reply.error().code() == Errc::timed_out);
        inside_[me] = false;
        ++late_;
        continue;
      }
      EXPECT_EQ(reply->words, std::vector<std::uint64_t>{(1u << kTasks) - 1});
      for (std::uint32_t other = 0; other < kTasks; ++other) {
        EXPECT_TRUE(rounds_[other] > rounds_[me] ||
                    (rounds_[other] == rounds_[me] && inside_[other]))
            << me << " goes on from " << rounds_[me] << " without " << other;
      }
      ++rounds_[me];
      inside_[me] = false;
    }
  }

  void fault(std::uint64_t kind) {
    const auto a = static_cast<std::uint32_t>(random_.below(4));
    const auto b = static_cast<std::uint32_t>(random_.below(4));
    switch (kind) {
      case 0:
        if (!dead_) all_.kill(3);
        dead_ = true;
        enter_each();
        break;
      case 1:
        if (dead_) all_.restart(3);
        dead_ = false;
        enter_each();
        break;
      case 2:
        enter_each();
        break;
      case 3:
        if (stopped_ || !all_.lives(a)) return;
        stopped_ = a;
        all_.world().stop(NodeId{a});
        break;
      case 4:
      case 5:
        resume();
        break;
      case 6:
        if (cut_ || a == b) return;
        cut_ = {a, b};
        all_.world().cut(NodeId{a}, NodeId{b});
        break;
      case 7:
        mend();
        break;
      default:
        break;
    }
  }
  // At each node's own time.
  void enter_each() {
    all_.begin_view();
    for (std::uint32_t i = 0; i < all_.size(); ++i) {
      if (!all_.lives(i)) continue;
      all_.enter(i);
      all_.world().run_for(Duration(random_.below(random_.chance(500) ? 20'000 : 3'000'000)));
    }
  }
  void resume() {
    if (stopped_ && all_.lives(*stopped_)) all_.world().resume(NodeId{*stopped_});
    stopped_.reset();
  }
  void mend() {
    if (cut_) all_.world().mend(NodeId{cut_->first}, NodeId{cut_->second});
    cut_.reset();
  }
  void heal() {
    resume();
    mend();
    enter_each();
  }

  SyncCluster all_;
  sim::Random random_;
  const bool faults_;
  const Key key_;
  std::array<std::uint64_t, kTasks> rounds_{};
  std::array<bool, kTasks> inside_{};
  std::uint64_t late_ = 0;
  bool dead_ = false;
  std::optional<std::uint32_t> stopped_;
  std::optional<std::pair<std::uint32_t, std::uint32_t>> cut_;
};

TEST(MeetSim, WithoutFaultsNobodyGoesOnAheadAndAllDo) {
  std::uint64_t late = 0;
  for (std::uint64_t seed = 1; seed <= 500 / kFewer && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Chance chance(seed, false);
    chance.run();
    late += chance.late();
  }
  EXPECT_GT(late, 100u);
}

TEST(MeetSim, WithFaultsNobodyGoesOnAheadAndAllDo) {
  for (std::uint64_t seed = 1; seed <= 1500 / kFewer && !::testing::Test::HasFailure(); ++seed) {
    SCOPED_TRACE(seed);
    Chance(seed, true).run();
  }
}

}  // namespace
}  // namespace krg::sync

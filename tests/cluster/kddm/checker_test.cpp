// What the checker of the simulation calls right and wrong.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "brute_force.h"
#include "krg/sim/random.h"
#include "krg/testing/seed.h"
#include "lease_check.h"
#include "linearize.h"

namespace krg::kddm_sim {
namespace {

// A history in the order of its steps; each operation takes two, unless begun and ended apart.
class Story {
 public:
  explicit Story(unsigned copies = 1) { history_.copies = copies; }

  Story& get(LifeId life, Value seen) { return add({OpKind::get, outcome_of(seen), life}, seen); }
  Story& find(LifeId life, Value seen) {
    return add({.kind = OpKind::get, .outcome = outcome_of(seen), .life = life}, seen, false);
  }
  // Grabs, reads `seen`, writes `wrote`, puts.
  Story& write(LifeId life, Value seen, Value wrote) {
    add({OpKind::grab, outcome_of(seen), life}, seen);
    return put(life, seen, wrote);
  }
  Story& grab(LifeId life, Value seen) { return add({OpKind::grab, outcome_of(seen), life}, seen); }
  Story& put(LifeId life, Value seen, Value wrote, Outcome outcome = Outcome::ok) {
    Op op{.kind = OpKind::put, .outcome = outcome, .life = life};
    op.wrote = wrote;
    return add(op, seen);
  }
  Story& remove(LifeId life, Outcome outcome = Outcome::ok) {
    return add({OpKind::remove, outcome, life}, kAbsent);
  }
  Story& sync(LifeId life) { return add({OpKind::sync, Outcome::ok, life}, kAbsent); }
  Story& flush(LifeId life) { return add({OpKind::flush, Outcome::ok, life}, kAbsent); }
  // An op whose end nobody knows; it may take effect until `ended` is called for it, or for ever.
  Story& unknown(OpKind kind, LifeId life) {
    Op op{.kind = kind, .life = life, .touch = true, .invoked = ++step_};
    history_.ops.push_back(op);
    return *this;
  }
  Story& fail(std::vector<LifeId> lives, bool may_lose) {
    const Step at = ++step_;
    history_.failures.push_back({at, ++step_, std::move(lives), may_lose});
    return *this;
  }
  Story& leave(LifeId life) {
    history_.left.push_back({.at = ++step_, .life = life});
    return *this;
  }
  Story& stays() {
    history_.left.back().until = ++step_;
    return *this;
  }
  Failure& last_failure() { return history_.failures.back(); }
  // The last op began when the one before it did, or ended later: they overlap.
  Story& overlap() {
    auto& ops = history_.ops;
    std::swap(ops[ops.size() - 2].returned, ops.back().invoked);
    return *this;
  }

  const History& history() const { return history_; }
  Verdict verdict() const { return linearize(history_).verdict; }

 private:
  static Outcome outcome_of(Value value) {
    if (value == kAbsent) return Outcome::absent;
    return value == kLost ? Outcome::lost : Outcome::ok;
  }
  Story& add(Op op, Value seen, bool touch = true) {
    op.touch = touch;
    if (seen != kLost) op.seen = seen;
    op.invoked = ++step_;
    op.returned = ++step_;
    op.ended = op.returned;
    history_.ops.push_back(op);
    return *this;
  }

  History history_;
  Step step_ = 0;
};

void expect(Verdict verdict, const Story& story) {
  const Judgement judgement = linearize(story.history());
  EXPECT_EQ(judgement.verdict, verdict) << judgement.text;
  EXPECT_EQ(judgement.text.empty(), verdict == Verdict::right);
  EXPECT_EQ(linearizable_by_force(story.history()), verdict == Verdict::right);
}
void expect_right(const Story& story) { expect(Verdict::right, story); }
void expect_wrong(const Story& story) { expect(Verdict::wrong, story); }

TEST(Linearize, ReadsAndWritesInTurnAreRight) {
  expect_right(Story());
  expect_right(Story().get(0, kZeros).write(1, kZeros, 10).get(0, 10).write(0, 10, 11).get(2, 11));
  expect_right(Story().find(0, kAbsent).write(1, kZeros, 10).find(0, 10));
}

TEST(Linearize, AStaleReadIsWrong) {
  expect_wrong(Story().write(0, kZeros, 10).write(1, 10, 11).get(2, 10));
  expect_wrong(Story().get(0, kZeros).write(1, kZeros, 10).get(0, kZeros));
}

TEST(Linearize, AReadBesideAWriteMaySeeEither) {
  expect_right(Story().write(0, kZeros, 10).grab(1, 10).put(1, 10, 11).get(2, 10).overlap());
  expect_right(Story().write(0, kZeros, 10).grab(1, 10).put(1, 10, 11).get(2, 11).overlap());
  // But not the new one before it was put.
  expect_wrong(Story().write(0, kZeros, 10).grab(1, 10).get(2, 11).put(1, 10, 11));
}

TEST(Linearize, ReadsThatOverlapAWriteAgreeOnTheOrder) {
  Story story;
  story.write(0, kZeros, 10).grab(1, 10).put(1, 10, 11);
  expect_right(Story(story).get(2, 10).overlap());
  // The write is still under way while one sees the new value and then another the old.
  Story torn(story);
  torn.get(2, 11).overlap().get(0, 10);
  expect_wrong(torn);
}

TEST(Linearize, ALostUpdateIsWrong) {
  expect_wrong(Story().write(0, kZeros, 10).write(1, 10, 11).write(2, 10, 12));
  expect_wrong(Story().write(0, kZeros, 10).write(1, kZeros, 11));
}

TEST(Linearize, AValueThatNobodyHasWrittenIsWrong) {
  expect_wrong(Story().write(0, kZeros, 10).get(1, 77));
  expect_wrong(Story().get(1, 77));
}

TEST(Linearize, WhatWasRemovedDoesNotComeBack) {
  expect_right(Story().write(0, kZeros, 10).remove(1).get(2, kZeros));
  expect_right(Story().write(0, kZeros, 10).remove(1).find(2, kAbsent).remove(2, Outcome::absent));
  expect_wrong(Story().write(0, kZeros, 10).remove(1).get(2, 10));
  expect_wrong(Story().write(0, kZeros, 10).remove(1).find(2, 10));
  expect_wrong(Story().write(0, kZeros, 10).find(2, kAbsent));
  expect_wrong(Story().write(0, kZeros, 10).remove(1).remove(2));
}

TEST(Linearize, ARemovalThatWasAskedForTwiceMayFindItDone) {
  Story story = Story().write(0, kZeros, 10).remove(1).remove(2);
  History history = story.history();
  history.ops.back().repeated = true;
  EXPECT_EQ(linearize(history).verdict, Verdict::right);
  EXPECT_TRUE(linearizable_by_force(history));
}

TEST(Linearize, AnUnknownRemovalMayTakeEffectAtAnyTimeOrNever) {
  Story story = Story().write(0, kZeros, 10).unknown(OpKind::remove, 1);
  expect_right(Story(story).get(2, 10).get(2, 10));
  expect_right(Story(story).get(2, 10).get(2, kZeros).get(2, kZeros));
  expect_wrong(Story(story).get(2, kZeros).get(2, 10));
  expect_wrong(Story(story).get(2, kZeros).remove(2).find(0, kZeros));
}

TEST(Linearize, AnUnknownTouchMayHaveMadeTheObject) {
  expect_right(Story().unknown(OpKind::get, 0).find(1, kZeros));
  expect_wrong(Story().find(1, kZeros));
  expect_right(Story().unknown(OpKind::grab, 0).fail({0}, true).get(1, kLost));
  expect_wrong(Story().fail({0}, true).get(1, kLost));
}

TEST(Linearize, AnUnknownPutMayBeSeenOrNot) {
  Story story = Story().write(0, kZeros, 10).grab(1, 10).put(1, 10, 11, Outcome::unknown);
  expect_right(Story(story).get(2, 10));
  expect_right(Story(story).get(2, 11));
  expect_wrong(Story(story).get(2, 11).get(2, 10));
}

// --- Failures -----------------------------------------------------------------------------------

TEST(Failures, WhatOnlyTheDeadHasSeenMayGoWithIt) {
  Story story = Story().write(0, kZeros, 10).get(1, 10).write(0, 10, 11).write(0, 11, 12);
  expect_right(Story(story).fail({0}, true).get(1, 12));
  expect_right(Story(story).fail({0}, true).get(1, 11));
  expect_right(Story(story).fail({0}, true).get(1, 10));
  expect_right(Story(story).fail({0}, true).get(1, kLost));
  expect_wrong(Story(story).fail({0}, true).get(1, kZeros));
  expect_wrong(Story(story).fail({1}, true).get(2, 11));
}

TEST(Failures, AnAcknowledgedWriteDoesNotVanish) {
  Story seen = Story(2).write(0, kZeros, 10).write(0, 10, 11).get(1, 11);
  expect_right(Story(seen).fail({0}, false).get(2, 11));
  expect_wrong(Story(seen).fail({0}, false).get(2, 10));
  expect_wrong(Story(seen).fail({0}, false).get(2, kLost));
  Story unseen = Story(2).write(0, kZeros, 10);
  expect_right(Story(unseen).fail({0}, false).get(2, kLost));
  expect_wrong(Story(unseen).fail({1}, false).get(2, kLost));
  Story synced = Story(2).write(0, kZeros, 10).sync(0);
  expect_right(Story(synced).fail({0}, false).get(2, 10));
  expect_wrong(Story(synced).fail({0}, false).get(2, kZeros));
}

TEST(Failures, OnlyWhatNoLivingNodeHoldsIsLost) {
  expect_wrong(Story().write(0, kZeros, 10).get(1, 10).fail({0}, true).get(2, kLost));
  expect_right(Story().write(0, kZeros, 10).get(1, 10).fail({0, 1}, true).get(2, kLost));
  expect_right(Story().write(0, kZeros, 10).get(1, 10).flush(1).fail({0}, true).get(2, kLost));
  expect_right(Story().write(0, kZeros, 10).get(1, 10).grab(0, 10).fail({0}, true).get(2, kLost));
  expect_right(Story()
                   .write(0, kZeros, 10)
                   .get(1, 10)
                   .unknown(OpKind::grab, 0)
                   .fail({0}, true)
                   .get(2, kLost));
  expect_wrong(Story().write(0, kZeros, 10).fail({1}, true).get(2, kLost));
}

TEST(Failures, WhoHasLeftHoldsNothing) {
  EXPECT_EQ(Story().write(1, kZeros, 1).get(2, 1).leave(1).fail({2}, true).get(3, kLost).verdict(),
            Verdict::right);
  EXPECT_EQ(Story().write(1, kZeros, 1).get(2, 1).leave(3).fail({2}, true).get(3, kLost).verdict(),
            Verdict::wrong);
}

TEST(Failures, WhoHasStayedHoldsWhatItHasSeenSince) {
  const Story gave = Story().write(1, kZeros, 1).get(2, 1).leave(1).stays();
  EXPECT_EQ(Story(gave).fail({2}, true).get(3, kLost).verdict(), Verdict::right);
  EXPECT_EQ(Story(gave).get(1, 1).fail({2}, true).get(3, kLost).verdict(), Verdict::wrong);
}

TEST(Failures, WhatIsLostStaysSoUntilItIsRemoved) {
  Story story = Story().write(0, kZeros, 10).fail({0}, true).get(1, kLost);
  expect_right(Story(story).find(2, kLost).remove(1).get(2, kZeros));
  expect_wrong(Story(story).get(2, 10));
  expect_wrong(Story(story).get(2, kZeros));
  expect_wrong(Story(story).find(2, kAbsent));
}

TEST(Failures, WhatExistsIsForgottenOnlyWithWhoKnowsOfIt) {
  Story story = Story().write(0, kZeros, 10).get(1, 10).grab(0, 10).fail({0, 2}, true);
  expect_wrong(Story(story).get(1, kZeros));
  story.last_failure().may_forget = true;
  expect_right(Story(story).get(1, kZeros));
}

TEST(Failures, OldDataComesBackOnlyAfterAsManyFailuresAsThereAreCopies) {
  const Story story = Story(2).write(0, kZeros, 10).write(1, 10, 11).get(2, 11).write(2, 11, 12);
  expect_wrong(Story(story).fail({2}, false).get(0, 10));
  expect_right(Story(story).fail({2}, false).get(0, 11));
  expect_right(Story(story).fail({2}, false).fail({1}, false).get(0, 10));
  expect_right(Story(story).fail({2}, false).fail({1}, false).get(0, kLost));
  // One copy has none beside it that is older.
  const Story single = Story(1).write(0, kZeros, 10).write(1, 10, 11).get(2, 11);
  expect_wrong(Story(single).fail({1, 2}, true).get(0, 10));
}

TEST(Failures, AWriteThatFellBackIsNotSeenAgain) {
  Story story = Story().write(0, kZeros, 10).get(1, 10).write(0, 10, 11).fail({0}, true);
  expect_wrong(Story(story).get(1, 10).get(1, 11));
  expect_right(Story(story).write(1, 10, 12).get(2, 12));
  expect_wrong(Story(story).write(1, 10, 12).get(2, 11));
}

// --- Leases -------------------------------------------------------------------------------------

TEST(Leases, AWriterIsAlone) {
  History history;
  auto lease = [&](OpKind kind, LifeId life, Step from, Step to) {
    Op op{.kind = kind, .outcome = Outcome::ok, .life = life, .seen = kZeros, .invoked = from};
    op.returned = from;
    op.ended = to;
    history.ops.push_back(op);
  };
  lease(OpKind::get, 0, 1, 5);
  lease(OpKind::get, 1, 2, 10);
  lease(OpKind::get, 2, 3, 4);
  lease(OpKind::grab, 0, 11, 14);
  lease(OpKind::grab, 1, 15, 17);
  EXPECT_EQ(check_leases(history), "");
  lease(OpKind::get, 2, 16, 18);
  EXPECT_NE(check_leases(history), "");
  history.ops.pop_back();
  lease(OpKind::grab, 2, 9, 10);
  EXPECT_NE(check_leases(history), "");
}

// --- Against brute force ------------------------------------------------------------------------

// A history that can have been: each op takes effect at its place in a row, and is stretched over
// its neighbours.
class Generator {
 public:
  Generator(std::uint64_t seed, bool faults, LifeId lives)
      : random_(seed), faults_(faults), lives_(lives) {}

  void make(std::uint64_t count) {
    history_.copies = 1 + static_cast<unsigned>(random_.below(2));
    for (std::uint64_t i = 0; i < count; ++i) one(100 * (i + 1));
    number_steps();
  }
  // Makes one of its observations another one.
  void spoil() {
    Op& op = history_.ops[random_.below(history_.ops.size())];
    const bool reads = op.kind == OpKind::get || op.kind == OpKind::grab;
    if (reads || op.kind == OpKind::put) op.seen = any_value();
    if (random_.chance(300) && op.returned != kNever && op.kind != OpKind::put) {
      op.outcome = static_cast<Outcome>(random_.below(3));
    }
    if (op.outcome != Outcome::ok && op.kind != OpKind::put) op.seen = kAbsent;
  }
  History& history() { return history_; }

 private:
  LifeId any_life() { return static_cast<LifeId>(random_.below(lives_)); }
  Value any_value() { return random_.below(next_); }
  Step stretch() { return random_.below(3) == 0 ? 5 : random_.below(260); }

  void one(Step at) {
    if (faults_ && random_.chance(150)) return fail(at);
    Op op{.life = any_life(), .touch = random_.chance(700)};
    op.invoked = at > 260 ? at - stretch() : at - std::min(stretch(), at - 1);
    op.returned = at + stretch();
    op.outcome = Outcome::ok;
    if (random_.chance(350) && state_ != kAbsent && state_ != kLost) {
      op.kind = OpKind::put;
      op.seen = state_;
      op.wrote = next_++;
      before_[op.wrote] = op.seen;
    } else {
      static constexpr OpKind kKinds[] = {OpKind::get,    OpKind::get,  OpKind::grab,
                                          OpKind::remove, OpKind::sync, OpKind::flush};
      op.kind = kKinds[random_.below(std::size(kKinds))];
      observe(op);
    }
    const bool unknown = faults_ && random_.chance(200);
    const bool happens = !unknown || random_.chance(500);
    history_.ops.push_back(op);
    if (happens) step(op);
    if (unknown) make_unknown(history_.ops.back());
  }

  void observe(Op& op) {
    const bool absent = state_ == kAbsent;
    const bool lost = state_ == kLost;
    const bool reads = op.kind == OpKind::get || op.kind == OpKind::grab;
    if (absent && !(reads && op.touch) && op.kind != OpKind::flush) op.outcome = Outcome::absent;
    if (lost && op.kind != OpKind::remove && op.kind != OpKind::flush) op.outcome = Outcome::lost;
    if (reads && op.outcome == Outcome::ok) op.seen = absent ? kZeros : state_;
  }
  void step(const Op& op) {
    if (op.kind == OpKind::put) state_ = op.wrote;
    if (op.kind == OpKind::remove) state_ = kAbsent;
    const bool reads = op.kind == OpKind::get || op.kind == OpKind::grab;
    if (reads && op.outcome == Outcome::ok) state_ = op.seen;
  }
  void make_unknown(Op& op) {
    op.outcome = Outcome::unknown;
    if (op.kind != OpKind::put) op.seen = kAbsent;
    if (random_.chance(600)) op.returned = kNever;
  }
  void fail(Step at) {
    Failure failure{at - 3, at + stretch(), {any_life()}, random_.chance(700)};
    if (random_.chance(300)) failure.lives.push_back(any_life());
    failure.may_forget = random_.chance(200);
    history_.failures.push_back(failure);
    if (state_ == kAbsent || state_ == kLost) return;
    if (failure.may_lose && random_.chance(300)) {
      state_ = kLost;
    } else if (random_.chance(300)) {
      state_ = before_.contains(state_) ? before_[state_] : kAbsent;
    }
  }
  void number_steps() {
    std::vector<std::pair<Step, Step*>> steps;
    auto add = [&](Step& step) {
      if (step != kNever) steps.emplace_back(step, &step);
    };
    for (Op& op : history_.ops) add(op.invoked), add(op.returned);
    for (Failure& failure : history_.failures) add(failure.at), add(failure.until);
    std::stable_sort(steps.begin(), steps.end(),
                     [](const auto& a, const auto& b) { return a.first < b.first; });
    for (std::size_t i = 0; i < steps.size(); ++i) *steps[i].second = i + 1;
  }

  sim::Random random_;
  History history_;
  const bool faults_;
  const LifeId lives_;
  Value state_ = kAbsent;
  std::map<Value, Value> before_;
  Value next_ = 1;
};

// Goal    the order in which the checker puts operations, and what it leaves out, lose nothing.
// Method  small histories, half of them spoilt, against every order there is.
TEST(Linearize, AgreesWithBruteForceOnSmallHistories) {
  unsigned right = 0, wrong = 0;
  const std::uint64_t count = testing::seed_given() ? 1 : 100'000;
  for (std::uint64_t i = 0; i < count; ++i) {
    const testing::ScopedSeed scoped(testing::seed() + i);
    Generator generator(testing::seed(), true, 3);
    generator.make(2 + i % 6);
    if (i % 2 == 1 && !generator.history().ops.empty()) generator.spoil();
    const History& history = generator.history();
    const Judgement judgement = linearize(history);
    const bool force = linearizable_by_force(history);
    ASSERT_EQ(judgement.verdict, force ? Verdict::right : Verdict::wrong)
        << "brute force says " << force << "; " << judgement.text << "\n"
        << describe(history);
    ++(force ? right : wrong);
  }
  if (testing::seed_given()) return;
  EXPECT_GT(right, count / 4);
  EXPECT_GT(wrong, count / 10);
}

// Goal    long histories are judged at once, and one wrong read in them is found.
// Method  a thousand operations of twelve lives; then a read of what had been overwritten long ago.
TEST(Linearize, LongHistoriesTakeFewStates) {
  for (std::uint64_t i = 0; i < 20; ++i) {
    const testing::ScopedSeed scoped(testing::seed() + i);
    Generator generator(testing::seed(), false, 12);
    generator.make(1000);
    History& history = generator.history();
    const Judgement judgement = linearize(history);
    ASSERT_EQ(judgement.verdict, Verdict::right) << judgement.text;
    EXPECT_LT(judgement.states_most, 200u);
    const auto early = std::find_if(history.ops.begin(), history.ops.end(),
                                    [](const Op& op) { return op.kind == OpKind::put; });
    const auto late = std::find_if(history.ops.begin() + 500, history.ops.end(),
                                   [](const Op& op) { return op.kind == OpKind::get; });
    ASSERT_NE(late, history.ops.end());
    late->outcome = Outcome::ok;
    late->seen = early->wrote;
    EXPECT_EQ(linearize(history).verdict, Verdict::wrong);
  }
}

}  // namespace
}  // namespace krg::kddm_sim

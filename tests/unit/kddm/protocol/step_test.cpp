#include "krg/protocol/step.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>

#include "krg/protocol/table.h"
#include "krg/wire/codec.h"
#include "net.h"

namespace krg::kddm {
namespace {

using check::Net;

TEST(Step, AnObjectComesIntoBeingIsSharedAndGoes) {
  Net net(3);
  EXPECT_EQ(net.run(1, Kind::op_get, kNoTouch).status, Answer::absent);
  EXPECT_EQ(net.run(1, Kind::op_sync).status, Answer::absent);
  EXPECT_TRUE(net.run(1, Kind::op_grab).lease);
  EXPECT_TRUE(net.run(2, Kind::op_get, kNoTouch).lease);
  EXPECT_EQ(net.part(1).holder.version, 2u) << "filled, then written once";
  EXPECT_EQ(net.part(2).holder.version, 2u);
  EXPECT_EQ(net.run(2, Kind::op_remove).status, Answer::ok);
  EXPECT_EQ(net.run(2, Kind::op_remove).status, Answer::absent);
  for (unsigned n = 0; n < 3; ++n) EXPECT_TRUE(is_blank(net.part(n))) << "node " << n;
  EXPECT_TRUE(net.errors.empty());
}

TEST(Step, TryDoesNotWaitForAWriter) {
  Net net(3);
  net.run(1, Kind::op_grab, 0, true);
  EXPECT_EQ(net.run(2, Kind::op_get, kTry).status, Answer::busy);
  EXPECT_EQ(net.run(2, Kind::op_grab, kTry).status, Answer::busy);
  EXPECT_EQ(net.run(1, Kind::op_grab, kTry).status, Answer::busy) << "another task of the node";
  net.put(1, Kind::op_grab);
  EXPECT_TRUE(net.run(2, Kind::op_grab, kTry).lease);
}

TEST(Step, AFlushMovesTheOnlyCopyAndFailsWhereNobodyCanTakeIt) {
  Net net(2);
  net.run(1, Kind::op_grab);
  EXPECT_EQ(net.run(1, Kind::op_flush).status, Answer::ok);
  EXPECT_EQ(net.part(1).holder.copy, Copy::none);
  EXPECT_EQ(net.part(0).holder.copy, Copy::read);
  EXPECT_EQ(net.run(1, Kind::op_flush).status, Answer::ok) << "there is nothing to give up";
  Net alone(1);
  alone.run(0, Kind::op_grab);
  EXPECT_EQ(alone.run(0, Kind::op_flush).status, Answer::full);
  EXPECT_EQ(alone.part(0).holder.copy, Copy::write) << "nothing is lost";
}

TEST(Step, SyncSpreadsWhatTheWriterHas) {
  Net net(4, 3);
  net.run(1, Kind::op_grab);
  EXPECT_EQ(net.run(2, Kind::op_sync).status, Answer::ok);
  EXPECT_EQ(net.part(0).home.copies.size(), 3u);
  EXPECT_FALSE(net.part(0).home.exclusive);
}

TEST(Step, APrefetchBringsACopyAndHoldsNothing) {
  Net net(2);
  net.run(0, Kind::op_grab);
  const Net::Ended ended = net.run(1, Kind::op_get, kNoFreeze);
  EXPECT_FALSE(ended.lease);
  EXPECT_EQ(ended.status, Answer::ok);
  EXPECT_EQ(net.part(1).holder.copy, Copy::read);
  EXPECT_FALSE(net.part(1).holder.in_use());
}

TEST(Step, MessagesOfAnotherViewAreNotTaken) {
  Net net(2);
  Place place = net.place(0);
  place.epoch = Epoch{5};
  Part part = blank_part(place);
  Actions actions;
  const Message old{.kind = Kind::get, .from = NodeId{1}, .epoch = Epoch{4}};
  const Message next{.kind = Kind::get, .from = NodeId{1}, .epoch = Epoch{6}};
  EXPECT_EQ(step(place, part, old, actions).outcome, Outcome::stale);
  EXPECT_EQ(step(place, part, next, actions).outcome, Outcome::early);
  EXPECT_TRUE(actions.empty());
  EXPECT_TRUE(is_blank(part));
}

TEST(Step, ACancelledOpIsForgottenAndItsDataIsKept) {
  const Net net(2);
  const Place place = net.place(1);
  Part part = blank_part(place);
  Actions actions;
  step(place, part, {.kind = Kind::op_get, .epoch = Epoch{1}, .op = 7}, actions);
  EXPECT_TRUE(cancel(part, 7));
  EXPECT_FALSE(cancel(part, 7));
  actions.clear();
  const Message data{.kind = Kind::data, .from = NodeId{0}, .epoch = Epoch{1}, .version = 3};
  EXPECT_EQ(step(place, part, data, actions).outcome, Outcome::done);
  EXPECT_EQ(part.holder.copy, Copy::read);
  for (const Action& action : actions) EXPECT_NE(action.what, Action::Do::lease);
}

TEST(Step, APutOfWhatIsNotHeldIsRefused) {
  Net net(2);
  net.run(0, Kind::op_grab);
  net.put(0, Kind::op_get);
  ASSERT_EQ(net.errors.size(), 1u);
  EXPECT_EQ(net.errors[0], "put of what is not held");
}

// Goal    what exists has an owner whatever its holders say: a request is never sent to nobody.
TEST(Step, WhoGivesUpTheOnlyCopyUnaskedIsNotBelieved) {
  Net net(3);
  net.run(1, Kind::op_grab);
  const Place place = net.place(0);
  for (const Kind asked : {Kind::get, Kind::grab, Kind::sync}) {
    Part part = blank_part(place);
    part.home.state = HomeState::idle;
    part.home.copies.insert(NodeId{1});
    part.home.owner = NodeId{1};
    part.home.exclusive = true;
    Actions actions;
    const Message request{.kind = asked, .from = NodeId{2}, .epoch = Epoch{1}};
    ASSERT_EQ(step(place, part, request, actions).outcome, Outcome::done);
    if (part.home.pending == 0) continue;
    const Home before = part.home;
    const Message done{.kind = Kind::done, .from = NodeId{1}, .node = NodeId{1}, .epoch = Epoch{1}};
    EXPECT_EQ(step(place, part, done, actions).outcome, Outcome::impossible) << name_of(asked);
    EXPECT_TRUE(part.home == before) << name_of(asked);
  }
}

TEST(Step, AWrongMessageThatWaitsTakesNoOtherWithIt) {
  const Net net(3);
  const Place place = net.place(1);
  Part part = blank_part(place);
  part.holder.copy = Copy::read;
  part.holder.readers = 1;
  part.waiting = std::make_unique<std::vector<Message>>();
  part.waiting->push_back({.kind = Kind::took, .from = NodeId{2}, .epoch = Epoch{1}});
  part.waiting->push_back(
      {.kind = Kind::inval, .from = NodeId{0}, .node = NodeId{2}, .epoch = Epoch{1}});
  Actions actions;
  step(place, part, {.kind = Kind::op_put_read, .epoch = Epoch{1}}, actions);
  EXPECT_EQ(part.holder.copy, Copy::none);
  const auto acks = std::count_if(actions.begin(), actions.end(), [](const Action& action) {
    return action.what == Action::Do::send && action.message.kind == Kind::ack;
  });
  EXPECT_EQ(acks, 1);
}

TEST(Message, SurvivesTheWireAndNonsenseDoesNot) {
  Message message{
      .kind = Kind::data, .flags = kForWrite, .node = NodeId{3}, .count = 2, .version = 1u << 20};
  message.epoch = Epoch{9};
  const auto back = wire::decode<Message>(wire::encode(message));
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, message);
  EXPECT_TRUE(is_sound(*back));
  EXPECT_EQ(wire::encode(message).size(), 25u);
  Message op = message;
  op.kind = Kind::op_get;
  EXPECT_FALSE(is_sound(op)) << "an op does not come from outside";
  Message flags = message;
  flags.flags = 0x8000;
  EXPECT_FALSE(is_sound(flags));
  Message nobody = message;
  nobody.kind = Kind::done;
  nobody.node = kNoNode;
  EXPECT_FALSE(is_sound(nobody));
}

// A part in any condition, likely or not, that a bug or a liar could bring about.
Part any_part(std::mt19937& random, const Place& place) {
  Part part = blank_part(place);
  auto node = [&] { return NodeId{static_cast<std::uint32_t>(random() % 4)}; };
  Holder& holder = part.holder;
  holder.copy = static_cast<Copy>(random() % 5);
  holder.asks = static_cast<Asks>(random() % 6);
  holder.readers = random() % 2;
  holder.writer = random() % 4 == 0;
  holder.granted = random() % 4 == 0;
  holder.version = random() % 3;
  Home& home = part.home;
  home.state = static_cast<HomeState>(random() % 7);
  home.phase = static_cast<Phase>(random() % 8);
  home.exclusive = random() % 2 == 0;
  home.pending = random() % 3;
  home.missing = random() % 3;
  home.noted = random() % 2 == 0;
  for (unsigned n = random() % 4; n > 0; --n) home.copies.insert(node());
  for (unsigned n = random() % 3; n > 0; --n) home.spares.insert(node());
  if (!home.copies.empty()) home.owner = home.copies.first();
  home.request = {node(), node(), 0, random() % 2 == 0 ? Kind::get : Kind::grab};
  return part;
}

// Goal    no message does harm: each is dealt with, or refused and has changed nothing.
// Method  random parts, random sound messages and ops; the seed is printed.
TEST(Step, NoInputInAnyStatePanicsAndARefusedOneChangesNothing) {
  for (std::uint32_t seed = 0; seed < 200'000; ++seed) {
    std::mt19937 random(seed);
    Net net(4, 1 + seed % 3);
    const Place place = net.place(seed % 4);
    Part part = any_part(random, place);
    Message in{
        .kind = static_cast<Kind>(random() % kKinds),
        .copy = static_cast<Copy>(random() % 5),
        .status = static_cast<Answer>(random() % 6),
        .flags = static_cast<std::uint16_t>(random() % 1024),
        .from = NodeId{static_cast<std::uint32_t>(random() % 4)},
        .node = random() % 8 == 0 ? NodeId{777} : NodeId{static_cast<std::uint32_t>(random() % 4)},
        .epoch = Epoch{1},
        .count = static_cast<std::uint32_t>(random() % 3),
        .op = 1,
        .version = random() % 4};
    const Holder holder = part.holder;
    const Home home = part.home;
    Actions actions;
    const StepResult result = step(place, part, in, actions);
    for (const Action& action : actions) {
      ASSERT_FALSE(action.what == Action::Do::send && action.to == kNoNode) << "seed " << seed;
    }
    if (result.outcome != Outcome::impossible) continue;
    ASSERT_NE(result.why, nullptr) << "seed " << seed;
    ASSERT_TRUE(part.holder == holder && part.home == home && !part.waiting) << "seed " << seed;
    ASSERT_TRUE(actions.empty()) << "seed " << seed;
  }
}

}  // namespace
}  // namespace krg::kddm

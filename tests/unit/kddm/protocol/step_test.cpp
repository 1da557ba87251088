// Goal    single rules of home and node, each by its name.
#include <gtest/gtest.h>

#include <string>

#include "krg/kddm_protocol/home.h"
#include "krg/kddm_protocol/node.h"

namespace krg::kddm_protocol {
namespace {

constexpr NodeId kHome{0}, kReader{1}, kOwner{2};

Place place_of(NodeId self) {
  Place place;
  place.epoch = Epoch{5};
  place.members = NodeBits::first(3);
  place.self = self;
  place.home = kHome;
  place.witness = kReader;
  return place;
}

Message message(MessageType type, NodeId from, std::uint32_t epoch = 5) {
  Message m;
  m.type = type;
  m.from = from;
  m.epoch = Epoch{epoch};
  return m;
}

TEST(KddmProtocolStep, EveryPairIsTakenOrRefusedByName) {
  for (std::uint8_t t = 0; t < kMessageTypes; ++t) {
    for (std::uint8_t s = 0; s < kHomeStates; ++s) {
      Entry entry;
      entry.state = static_cast<HomeState>(s);
      const Entry before = entry;
      Outbox out;
      const Message m = message(static_cast<MessageType>(t), kOwner);
      const Step step = home_step(entry, place_of(kHome), m, out);
      if (step.verdict == Verdict::taken) continue;
      ASSERT_EQ(step.verdict, Verdict::refused);
      EXPECT_EQ(step.error.code(), Errc::protocol_error);
      EXPECT_EQ(step.error.what(), std::string(name_of(before.state)) + " cannot take " +
                                       std::string(name_of(m.type)));
      EXPECT_EQ(entry, before);
      EXPECT_TRUE(out.empty());
    }
    for (std::uint8_t s = 0; s < kCopyStates; ++s) {
      Copy copy;
      copy.state = static_cast<CopyState>(s);
      const Copy before = copy;
      Outbox out;
      const Message m = message(static_cast<MessageType>(t), kOwner);
      const Step step = node_step(copy, place_of(kReader), m, out);
      if (step.verdict == Verdict::taken) continue;
      ASSERT_EQ(step.verdict, Verdict::refused);
      EXPECT_EQ(step.error.what(), std::string(name_of(before.state)) + " cannot take " +
                                       std::string(name_of(m.type)));
      EXPECT_EQ(copy, before);
    }
  }
}

TEST(KddmProtocolStep, MessagesOfOtherViewsChangeNothing) {
  Entry entry;
  Outbox out;
  const Entry before = entry;
  EXPECT_EQ(
      home_step(entry, place_of(kHome), message(MessageType::get_request, kOwner, 4), out).verdict,
      Verdict::stale);
  EXPECT_EQ(
      home_step(entry, place_of(kHome), message(MessageType::get_request, kOwner, 6), out).verdict,
      Verdict::early);
  EXPECT_EQ(entry, before);
  EXPECT_TRUE(out.empty());
}

TEST(KddmProtocolStep, AnUpgradeCarriesNoBytes) {
  Entry entry;
  entry.state = HomeState::live;
  entry.owner = kOwner;
  entry.copies = NodeBits::of(kOwner) | NodeBits::of(kReader);
  Outbox out;
  home_step(entry, place_of(kHome), message(MessageType::grab_request, kReader), out);
  ASSERT_EQ(out.size(), 2u);
  EXPECT_EQ(out[0].type, MessageType::invalidate);
  EXPECT_EQ(out[0].to, kOwner);
  EXPECT_EQ(out[1].type, MessageType::grant);
  EXPECT_EQ(out[1].set, NodeBits::of(kOwner));
}

TEST(KddmProtocolStep, PutOfWhatIsNotHeldIsAnError) {
  Copy copy;
  Outbox out;
  const Step step = node_op(copy, place_of(kReader), LocalOp::put, out);
  EXPECT_EQ(step.verdict, Verdict::refused);
  EXPECT_EQ(step.error.code(), Errc::invalid_argument);
}

TEST(KddmProtocolStep, ASecondOperationOnAnObjectInUseMustWait) {
  Copy copy;
  copy.state = CopyState::exclusive;
  Outbox out;
  EXPECT_EQ(node_op(copy, place_of(kReader), LocalOp::grab, out).finished, Request::grab);
  EXPECT_EQ(node_op(copy, place_of(kReader), LocalOp::grab, out).verdict, Verdict::busy);
  EXPECT_TRUE(out.empty()) << "an object owned here is grabbed without a message";
}

TEST(KddmProtocolStep, WhoWaitsIsServedInTurn) {
  const NodeBits waiting = NodeBits::of(kHome) | NodeBits::of(kOwner);
  EXPECT_EQ(waiting.after(kReader), kOwner);
  EXPECT_EQ(waiting.after(kOwner), kHome);
  EXPECT_EQ(NodeBits().after(kOwner), kNoNode);
}

}  // namespace
}  // namespace krg::kddm_protocol

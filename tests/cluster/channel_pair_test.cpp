// Goal    what channels promise, one promise a test; and what a peer that breaks the rules can do.
#include "channel_pair.h"

namespace krg::cluster_test {
namespace {

TEST_F(ChannelPair, MessagesToTheOwnNodeComeLaterAndInOrder) {
  open();
  a_->set_view(view_of(1));
  a_->send(kA, "1");
  a_->send(kA, "2", Owned(100'000).data());
  int left = 3;
  a_->then = [&](NodeId from) {
    EXPECT_EQ(from, kA);
    if (left-- > 0) a_->channels.send(kA, bytes_of("more"));
  };
  EXPECT_TRUE(a_->got.empty());
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(a_->got, (std::vector<std::string>{"1", "2", "more", "more", "more"}));
  EXPECT_EQ(a_->sizes[1], 100'000u);
}

TEST_F(ChannelPair, ANewViewDropsMessagesToTheOwnNode) {
  open();
  a_->set_view(view_of(1));
  a_->send(kA, "old");
  a_->set_view(view_of(2));
  a_->send(kA, "new");
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(a_->got, std::vector<std::string>{"new"});
}

TEST_F(ChannelPair, LargeDataAreOvertakenOnTheWireAndNotAtTheSink) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  const Owned large(1 << 20), small(100);
  for (int i = 0; i < 50; ++i) {
    a_->send(kB, std::to_string(2 * i), large.data());
    a_->send(kB, std::to_string(2 * i + 1), small.data());
  }
  EXPECT_TRUE(comes_to_rest());
  ASSERT_EQ(b_->got.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(b_->got[i], std::to_string(i));
  EXPECT_GT(b_->channels.stats().early, 0u);
  EXPECT_EQ(a_->channels.stats().resent, 0u);
  world_.run_for(1s);
  EXPECT_EQ(large.bytes.use_count(), 1);
  EXPECT_EQ(small.bytes.use_count(), 1);
}

TEST_F(ChannelPair, AMessageIsAcknowledgedSoonAndManyAtOnce) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  a_->send(kB, "connects");
  EXPECT_TRUE(comes_to_rest());
  a_->send(kB, "alone");
  EXPECT_TRUE(runs_until([&] { return a_->channels.unacknowledged() == 0; }, 5ms));
  for (int i = 0; i < 128; ++i) a_->send(kB, "one of many");
  EXPECT_TRUE(runs_until([&] { return a_->channels.unacknowledged() == 0; }, 500us));
  EXPECT_LE(b_->channels.stats().acks, 3u);
  EXPECT_EQ(a_->channels.stats().probes, 0u);
}

TEST_F(ChannelPair, NoMoreThanTheWindowIsOnItsWay) {
  open({.window_messages = 10, .window_bytes = 10'000});
  a_->set_view(view_of(1));  // And not b, which holds what comes.
  for (int i = 0; i < 100; ++i) a_->send(kB, "message");
  world_.run_for(1s);
  EXPECT_EQ(b_->channels.stats().later, 10u);
  b_->set_view(view_of(1));
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(b_->got.size(), 100u);
  // Longer than the window: one is always let go.
  for (int i = 0; i < 5; ++i) a_->send(kB, "long", Owned(50'000).data());
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(b_->got.size(), 105u);
}

TEST_F(ChannelPair, NothingOfAnOlderViewIsDelivered) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  const Owned large(1 << 20);
  for (int i = 0; i < 20; ++i) a_->send(kB, "old", large.data());
  a_->set_view(view_of(2));
  a_->send(kB, "new");
  b_->set_view(view_of(2));
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(b_->got, std::vector<std::string>{"new"});
  world_.run_for(1s);
  EXPECT_EQ(large.bytes.use_count(), 1);
}

TEST_F(ChannelPair, WhatComesBeforeItsViewWaitsForIt) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  a_->set_view(view_of(3));
  for (int i = 0; i < 5; ++i) a_->send(kB, std::to_string(i), Owned(i * 5000).data());
  world_.run_for(300ms);
  EXPECT_TRUE(b_->got.empty());
  b_->set_view(view_of(3));
  EXPECT_TRUE(b_->got.empty());
  EXPECT_TRUE(runs_until([&] { return b_->got.size() == 5; }, 2ms));
  EXPECT_EQ(b_->got, (std::vector<std::string>{"0", "1", "2", "3", "4"}));
  EXPECT_EQ(a_->channels.stats().resent, 0u);
}

TEST_F(ChannelPair, WhatDidNotFitBeforeItsViewIsSentAgainSoon) {
  open({.later_messages = 2});
  b_->set_view(view_of(1));
  a_->set_view(view_of(2));
  for (int i = 0; i < 50; ++i) a_->send(kB, std::to_string(i));
  world_.run_for(3s);  // By now it asks twice a second.
  EXPECT_EQ(b_->channels.stats().later, 2u);
  EXPECT_EQ(b_->channels.stats().later_dropped, 48u);
  b_->set_view(view_of(2));
  EXPECT_TRUE(runs_until([&] { return b_->got.size() == 50; }, 20ms));
  EXPECT_EQ(a_->channels.stats().resent, 48u);
}

TEST_F(ChannelPair, TheSinkMayEnterAViewAndSend) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  b_->then = [&](NodeId) {
    if (b_->channels.epoch() != Epoch{1}) return;
    b_->channels.set_view(view_of(2));
    b_->channels.send(kA, bytes_of("answer"));
  };
  for (int i = 0; i < 20; ++i) a_->send(kB, std::to_string(i));
  world_.run_for(100ms);
  EXPECT_EQ(b_->got.size(), 1u);
  a_->set_view(view_of(2));
  a_->send(kB, "of the new view");
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(a_->got, std::vector<std::string>{"answer"});
  EXPECT_EQ(b_->got, (std::vector<std::string>{"0", "of the new view"}));
}

TEST_F(ChannelPair, WhoIsNoMemberSendsToNobodyAndIsSentNothing) {
  open();
  a_->send(kB, "before any view");
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  a_->set_view(view_of(2, {1}));
  a_->send(kB, "to nobody");
  EXPECT_EQ(a_->channels.unacknowledged(), 0u);
  a_->set_view(view_of(3, {2, 1}));  // Another life of a itself.
  a_->send(kB, "of nobody");
  a_->send(kA, "of nobody");
  world_.run_for(100ms);
  EXPECT_EQ(a_->channels.stats().not_members, 4u);
  EXPECT_EQ(a_->channels.stats().sent, 0u);
  EXPECT_TRUE(a_->got.empty() && b_->got.empty());
}

TEST_F(BarePeer, RepetitionsAreDroppedAndAcknowledgedAgain) {
  for (int i = 0; i < 3; ++i) notify({.seq = 1, .epoch = 5, .head = 4});
  EXPECT_EQ(a_->got, std::vector<std::string>{"hhdd"});
  EXPECT_EQ(stats().duplicates, 2u);
  EXPECT_EQ(stats().acks, 3u);
  for (int i = 0; i < 3; ++i) notify({.seq = 3, .epoch = 5, .head = 4});
  EXPECT_EQ(a_->got.size(), 1u);
  EXPECT_EQ(stats().duplicates, 4u);
  EXPECT_EQ(stats().early, 1u);
  notify({.seq = 2, .epoch = 5, .head = 4});
  EXPECT_EQ(a_->got.size(), 3u);
}

TEST_F(BarePeer, AQuestionIsAnsweredWithWhatIsHeld) {
  for (const std::uint64_t seq : {1u, 2u, 4u, 5u, 70u, 1002u}) {
    notify({.seq = seq, .epoch = 5, .head = 4});
  }
  Question question;
  const RawFrame frame{.epoch = 5};
  std::memcpy(question.header.data(), &frame, sizeof frame);
  const auto receipt = ask(question, 0);
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->epoch, Epoch{5});
  EXPECT_EQ(receipt->received, 2u);
  // Bit 0 is message 3; 1002 is the last of the window.
  ASSERT_EQ(receipt->held.size(), 16u);
  EXPECT_EQ(receipt->held[0], 0b110u);
  EXPECT_EQ(receipt->held[1], 1u << (70 - 3 - 64));
  EXPECT_EQ(receipt->held[15], std::uint64_t{1} << (1002 - 3 - 15 * 64));
}

TEST_F(BarePeer, OtherViewsAndLivesAreDropped) {
  notify({.seq = 1, .epoch = 4, .head = 4});
  EXPECT_EQ(stats().old, 1u);
  notify({.seq = 1, .epoch = 6, .head = 4});
  EXPECT_EQ(stats().later, 1u);
  a_->set_view(view_of(7, {1, 2}));
  notify({.seq = 1, .epoch = 7, .head = 4});
  EXPECT_EQ(stats().strangers, 1u);
  EXPECT_TRUE(a_->got.empty());
  EXPECT_EQ(stats().malformed, 0u);
}

TEST_F(BarePeer, WhatIsFarAheadIsDropped) {
  notify({.seq = 1001, .epoch = 5, .head = 4});
  EXPECT_EQ(stats().beyond, 1u);
  notify({.seq = ~std::uint64_t{0}, .epoch = 5, .head = 4});
  EXPECT_EQ(stats().beyond, 2u);
  EXPECT_TRUE(a_->got.empty());
}

TEST_F(BarePeer, MalformedFramesAreCountedAndDropped) {
  const Short few;
  EXPECT_TRUE(bare_->rpc().notify<Message<Short>>(kA, few));
  notify({.seq = 1, .epoch = 5, .head = 5});            // More head than bytes.
  notify({.seq = 1, .epoch = 5, .head = ~0u});          // The same.
  notify({.seq = 0, .epoch = 5, .head = 4});            // An acknowledgement with a head,
  notify({.seq = 0, .epoch = 5, .head = 0});            // or with data.
  notify({.seq = 1, .ack = 1, .epoch = 5, .head = 4});  // Nothing was sent.
  EXPECT_EQ(stats().malformed, 6u);
  EXPECT_FALSE(ask(raw({.seq = 1, .epoch = 5, .head = 4}, "head"), 0).has_value());
  EXPECT_FALSE(ask(raw({.seq = 1, .epoch = 5, .head = 2}, "hedd"), 100).has_value());
  EXPECT_FALSE(ask(raw({.seq = 0, .epoch = 5, .head = 4}, "head"), 0).has_value());
  EXPECT_FALSE(ask(raw({.seq = 0, .epoch = 5, .head = 0}, "data"), 100).has_value());
  EXPECT_EQ(stats().malformed, 10u);
  EXPECT_TRUE(a_->got.empty());
  // And the peer is not lost by it.
  const auto receipt = ask(raw({.seq = 1, .epoch = 5, .head = 4}, "head"), 100);
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->received, 1u);
  EXPECT_EQ(a_->got, std::vector<std::string>{"head"});
}

}  // namespace
}  // namespace krg::cluster_test

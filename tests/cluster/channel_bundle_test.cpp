// Goal    several messages in one call: as if each had come by itself, whatever a peer sends.
#include "channel_pair.h"

namespace krg::cluster_test {
namespace {

TEST_F(ChannelPair, ThePagesOfATurnGoTogether) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  const Owned page(4096);
  for (int i = 0; i < 400; ++i) {
    // A message without data keeps its place among them.
    a_->send(kB, std::to_string(i), i % 10 == 9 ? kddm::Data() : page.data());
  }
  EXPECT_TRUE(comes_to_rest());
  ASSERT_EQ(b_->got.size(), 400u);
  for (int i = 0; i < 400; ++i) {
    EXPECT_EQ(b_->got[i], std::to_string(i));
    EXPECT_EQ(b_->sizes[i], i % 10 == 9 ? 0u : 4096u);
  }
  EXPECT_EQ(a_->channels.stats().bundles, 2u) << "a bundle has up to 1 MiB";
  EXPECT_GE(a_->channels.stats().bundled, 399u);
  EXPECT_EQ(a_->channels.stats().resent, 0u);
  world_.run_for(1s);
  EXPECT_EQ(page.bytes.use_count(), 1);
  EXPECT_EQ(a_->rpc().buffers().in_use() + b_->rpc().buffers().in_use(), 0u);
}

TEST_F(ChannelPair, FewPagesAndTheLargestGoByThemselves) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  a_->send(kB, "1", Owned(4096).data());
  a_->send(kB, "2", Owned(4096).data());
  EXPECT_TRUE(comes_to_rest());
  a_->send(kB, "3", Owned(60'000).data());
  EXPECT_TRUE(comes_to_rest());
  for (int i = 4; i < 8; ++i) a_->send(kB, std::to_string(i), Owned((64 << 10) + 1).data());
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(a_->channels.stats().bundles, 0u);
  EXPECT_EQ(a_->channels.stats().large, 5u);
  EXPECT_EQ(b_->got, (std::vector<std::string>{"1", "2", "3", "4", "5", "6", "7"}));
}

TEST_F(ChannelPair, WhatALargeOneSeparatesGoesInTwoBundles) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  const Owned page(4096), large(1 << 20);
  for (int i = 0; i < 21; ++i)
    a_->send(kB, std::to_string(i), i == 10 ? large.data() : page.data());
  EXPECT_TRUE(comes_to_rest());
  ASSERT_EQ(b_->got.size(), 21u);
  for (int i = 0; i < 21; ++i) EXPECT_EQ(b_->got[i], std::to_string(i));
  EXPECT_EQ(a_->channels.stats().bundles, 2u);
  EXPECT_EQ(a_->channels.stats().large, 1u);
}

TEST_F(ChannelPair, WhatIsLostOfABundleIsSentAgainOnce) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  a_->send(kB, "connects");
  EXPECT_TRUE(comes_to_rest());
  const Owned page(4096);
  for (int i = 0; i < 100; ++i) a_->send(kB, std::to_string(i), page.data());
  EXPECT_TRUE(runs_until([&] { return a_->channels.stats().bundles == 1; }));
  a_->rpc().disconnect(kB);
  b_->rpc().disconnect(kA);
  world_.wake(kA);
  world_.wake(kB);
  EXPECT_TRUE(comes_to_rest());
  ASSERT_EQ(b_->got.size(), 101u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(b_->got[i + 1], std::to_string(i));
  world_.run_for(1s);
  EXPECT_EQ(page.bytes.use_count(), 1);
}

TEST_F(ChannelPair, ABundleEndsWithItsView) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  const Owned page(4096);
  b_->then = [&](NodeId) {
    if (b_->got.size() == 10) b_->channels.set_view(view_of(2));
  };
  for (int i = 0; i < 100; ++i) a_->send(kB, std::to_string(i), page.data());
  world_.run_for(100ms);
  EXPECT_EQ(b_->got.size(), 10u) << "the rest is of an older view";
  EXPECT_GE(b_->channels.stats().old, 90u);
  // And one that comes too soon waits for its own.
  a_->set_view(view_of(3));
  for (int i = 0; i < 100; ++i) a_->send(kB, std::to_string(i), page.data());
  a_->set_view(view_of(4));  // Before the turn's end: it never leaves.
  for (int i = 0; i < 50; ++i) a_->send(kB, "x" + std::to_string(i), page.data());
  world_.run_for(10ms);
  EXPECT_EQ(b_->got.size(), 10u);
  b_->set_view(view_of(4));
  EXPECT_TRUE(comes_to_rest());
  ASSERT_EQ(b_->got.size(), 60u);
  EXPECT_EQ(b_->got.back(), "x49");
}

TEST_F(BarePeer, ABundlesMessagesAreTakenOneByOne) {
  const std::vector<RawBundleEntry> three{{3, 5000}, {1, 0}, {0, 2000}};
  // Messages 2 ... 4 come before 1.
  auto receipt = send_bundle({.seq = 2, .epoch = 5, .head = 3}, bundle_of(three));
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->received, 0u);
  EXPECT_EQ(stats().early, 3u);
  notify({.seq = 1, .epoch = 5, .head = 4});
  EXPECT_EQ(a_->got, (std::vector<std::string>{"hhdd", "hhh", "h", ""}));
  EXPECT_EQ(a_->sizes, (std::vector<std::size_t>{0, 5000, 0, 2000}));
  // The last of those again, and two new ones.
  receipt = send_bundle({.seq = 4, .epoch = 5, .head = 3}, bundle_of(three));
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->received, 6u);
  EXPECT_EQ(stats().duplicates, 1u);
  EXPECT_EQ(a_->got.size(), 6u);
  EXPECT_EQ(stats().malformed, 0u);
}

TEST_F(BarePeer, MalformedBundlesAreCountedAndDropped) {
  const std::vector<RawBundleEntry> two{{3, 5000}, {1, 4000}};
  const RawFrame good{.seq = 1, .epoch = 5, .head = 2};
  std::uint64_t bad = 0;
  const auto refuses = [&](const RawFrame& frame, const std::vector<std::byte>& bulk) {
    EXPECT_FALSE(send_bundle(frame, bulk).has_value());
    EXPECT_EQ(stats().malformed, ++bad);
    EXPECT_TRUE(a_->got.empty());
  };
  refuses(good, {});
  refuses({.seq = 0, .epoch = 5, .head = 2}, bundle_of(two));
  refuses({.seq = 1, .epoch = 5, .head = 0}, bundle_of(two));
  refuses({.seq = 1, .epoch = 5, .head = 513}, bundle_of(two));
  refuses({.seq = 1, .epoch = 5, .head = ~0u}, bundle_of(two));
  refuses({.seq = 1, .ack = 1, .epoch = 5, .head = 2}, bundle_of(two));  // Nothing was sent.
  refuses({.seq = 1, .epoch = 5, .head = 1}, bundle_of(two));            // More bytes,
  refuses({.seq = 1, .epoch = 5, .head = 3}, bundle_of(two));            // or fewer.
  refuses(good, bundle_of({{2049, 5000}, {1, 4000}}));
  refuses(good, bundle_of({{3, 65537}, {1, 4000}}));
  refuses(good, bundle_of({{3, 5000}, {~0u, 4000}}));
  refuses(good, bundle_of({{3, 5000}, {1, ~0u}}));
  auto longer = bundle_of(two);
  longer.push_back(std::byte{7});
  refuses(good, longer);
  refuses({.seq = 1, .epoch = 5, .head = 512}, std::vector<std::byte>((1 << 20) + 64));
  ASSERT_TRUE(send_bundle(good, bundle_of(two)).has_value());
  EXPECT_EQ(a_->got, (std::vector<std::string>{"hhh", "h"}));
}

}  // namespace
}  // namespace krg::cluster_test

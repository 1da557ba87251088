#include <random>

#include "krg/testing/fabric_conformance.h"
#include "krg/testing/seed.h"

// Large messages: sizes, gathering, order among small ones, discard, cancel.
namespace krg::testing {
namespace {

constexpr std::size_t kMany = 4u << 20;

using Parts = std::vector<std::span<const std::byte>>;

// `data` in `count` parts of uneven length, some of them empty.
Parts cut(std::span<const std::byte> data, std::size_t count, std::mt19937_64& random) {
  Parts parts;
  while (parts.size() + 1 < count) {
    const std::size_t length = random() % 4 == 0 ? 0 : random() % (data.size() / 2 + 1);
    parts.push_back(data.first(length));
    data = data.subspan(length);
  }
  parts.push_back(data);
  return parts;
}

}  // namespace

TEST_P(FabricConformance, LargeMessagesOfEverySizeAndGatherArriveUnchanged) {
  std::mt19937_64 random(seed());
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  std::vector<std::size_t> sizes{0, 1, 8, 64, 1000, 4096, 8191, 8192, 8193, 16384, 65536};
  sizes.insert(sizes.end(), {100'000, 262'144, 1 << 20, 3'000'001});
  sizes.insert(sizes.end(), {kMany - 1, kMany, kMany + 1, 16u << 20, 32u << 20});
  std::size_t number = 0;
  for (const std::size_t size : sizes) {
    for (const std::size_t parts : {1, 2, 3, 7, 16}) {
      if (size > kMany && parts != 1 && parts != 7) continue;  // The test's time.
      const Bytes data = pattern(size, number);
      const Bytes header = pattern(number * 97 % 4000, number + 1);
      Told done;
      ASSERT_TRUE(send_large(a, b.id, header, cut(data, parts, random), done));
      const auto& arrived = b.sink.links[0].arrived;
      ASSERT_TRUE(until([&] {
        return done.once() && arrived.size() == number + 1 && arrived[number]->whole();
      })) << "size "
          << size << " parts " << parts;
      EXPECT_OK(done.status());
      EXPECT_OK(arrived[number]->received.status());
      EXPECT_EQ(arrived[number]->content, header);
      ASSERT_EQ(arrived[number]->data.size(), size);
      EXPECT_EQ(first_difference(arrived[number]->data, number), size) << "parts " << parts;
      arrived[number]->data = {};  // Together they would take a gigabyte.
      ++number;
    }
  }
}

TEST_P(FabricConformance, HeaderMayFillItsLimit) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  const Bytes header = pattern(fabric::kLargeHeaderMax - fabric::kHeadroom, 1);
  const Bytes data = pattern(100'000, 2);
  Told done;
  ASSERT_TRUE(send_large(a, b.id, header, Parts{data}, done));
  ASSERT_TRUE(until(
      [&] { return b.sink.links[0].arrived.size() == 1 && b.sink.links[0].arrived[0]->whole(); }));
  EXPECT_EQ(b.sink.links[0].arrived[0]->content, header);
  EXPECT_EQ(b.sink.links[0].arrived[0]->data, data);
  EXPECT_TRUE(until([&] { return done.once(); }));
}

TEST_P(FabricConformance, SixtyFourMebibytesArriveUnchanged) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  const Bytes data = pattern(64u << 20, 5);
  const std::span<const std::byte> all(data);
  Told done;
  ASSERT_TRUE(send_large(a, b.id, pattern(8, 1),
                         Parts{all.first(12'345'678), all.subspan(12'345'678)}, done));
  const auto& arrived = b.sink.links[0].arrived;
  ASSERT_TRUE(until([&] { return done.once() && arrived.size() == 1 && arrived[0]->whole(); }));
  EXPECT_OK(done.status());
  EXPECT_EQ(first_difference(arrived[0]->data, 5), data.size());
}

TEST_P(FabricConformance, SmallAndLargeKeepTheirOrder) {
  std::mt19937_64 random(seed());
  constexpr std::size_t kCount = 300;
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  std::deque<Told> done;
  std::deque<Bytes> kept;
  for (std::size_t i = 0; i < kCount; ++i) {
    if (random() % 3 != 0) {
      ASSERT_TRUE(send(a, b.id, pattern(random() % 2000 + 8, i)));
    } else {
      kept.push_back(pattern(random() % 200'000, i + 1));
      ASSERT_TRUE(send_large(a, b.id, pattern(random() % 100 + 8, i), Parts{kept.back()},
                             done.emplace_back()));
    }
  }
  Link& link = b.sink.links[0];
  ASSERT_TRUE(until([&] { return link.arrived.size() == kCount && link.all_whole(); }));
  for (std::size_t i = 0; i < kCount; ++i) {
    const Arrived& message = *link.arrived[i];
    ASSERT_EQ(first_difference(message.content, i), message.content.size()) << "place " << i;
    ASSERT_EQ(first_difference(message.data, i + 1), message.data.size()) << "place " << i;
  }
  EXPECT_TRUE(until([&] { return std::ranges::all_of(done, &Told::once); }));
}

TEST_P(FabricConformance, LargeMessagesMayBeReceivedLaterAndInAnyOrder) {
  constexpr std::size_t kCount = 8;
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  b.sink.on_large_message = Recorder::OnLarge::hold;
  std::deque<Told> done;
  std::deque<Bytes> kept;
  for (std::size_t i = 0; i < kCount; ++i) {
    kept.push_back(pattern(i % 2 == 0 ? 500'000 : 500, i));
    ASSERT_TRUE(send_large(a, b.id, pattern(20, i), Parts{kept.back()}, done.emplace_back()));
  }
  ASSERT_TRUE(send(a, b.id, pattern(20, 99)));
  auto& arrived = b.sink.links[0].arrived;
  ASSERT_TRUE(until([&] { return arrived.size() == kCount + 1; }))
      << "a held message blocks others";
  for (std::size_t i = kCount; i-- > 0;) Recorder::receive(*arrived[i]);
  ASSERT_TRUE(until([&] { return b.sink.links[0].all_whole(); }));
  for (std::size_t i = 0; i < kCount; ++i) EXPECT_EQ(arrived[i]->data, kept[i]);
  EXPECT_TRUE(until([&] { return std::ranges::all_of(done, &Told::once); }));
}

TEST_P(FabricConformance, DiscardedLargeMessageIsToldAndLeavesTheOrderIntact) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  b.sink.on_large_message = Recorder::OnLarge::discard;
  std::deque<Told> done;
  std::deque<Bytes> kept;
  for (const std::size_t size : {0u, 100u, 100'000u, 4'000'000u}) {
    kept.push_back(pattern(size, size));
    ASSERT_TRUE(send_large(a, b.id, pattern(8, 1), Parts{kept.back()}, done.emplace_back()));
    ASSERT_TRUE(send(a, b.id, pattern(8, 2)));
  }
  b.sink.on_large_message = Recorder::OnLarge::hold;
  ASSERT_TRUE(until([&] { return b.sink.links[0].arrived.size() == 8; }));
  for (auto& message : b.sink.links[0].arrived) {
    if (message->held != nullptr) Recorder::discard(*message);
  }
  ASSERT_TRUE(until([&] { return std::ranges::all_of(done, &Told::once); }));
  ASSERT_TRUE(send(a, b.id, pattern(8, 3)));
  EXPECT_TRUE(until([&] { return b.sink.links[0].arrived.size() == 9; }));
  EXPECT_FALSE(b.sink.links[0].down);
}

TEST_P(FabricConformance, CancelledLargeMessageIsToldOnce) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  b.sink.on_large_message = Recorder::OnLarge::hold;
  const Bytes data = pattern(8 << 20, 1);
  Told done;
  ASSERT_TRUE(send_large(a, b.id, pattern(8, 1), Parts{data}, done));
  ASSERT_TRUE(send(a, b.id, pattern(8, 2)));
  ASSERT_TRUE(until([&] { return b.sink.links[0].arrived.size() == 2; }));
  a.to(b.id).cancel(done);
  pass(std::chrono::milliseconds(20));
  Arrived& held = *b.sink.links[0].arrived[0];
  if (held.held != nullptr) Recorder::receive(held);
  ASSERT_TRUE(until([&] { return done.once(); }));
  ASSERT_TRUE(until([&] { return held.received.once(); }));
  if (held.received.status()) {
    EXPECT_EQ(first_difference(held.data, 1), data.size());
  }
  ASSERT_TRUE(send(a, b.id, pattern(8, 3)));
  EXPECT_TRUE(until([&] { return b.sink.links[0].arrived.size() == 3; }));
  pass(std::chrono::milliseconds(20));
  EXPECT_EQ(done.count(), 1u);
}

TEST_P(FabricConformance, CancellingWhatHasEndedDoesNothing) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  const Bytes data = pattern(1 << 20, 1);
  Told done;
  ASSERT_TRUE(send_large(a, b.id, pattern(8, 1), Parts{data}, done));
  ASSERT_TRUE(until([&] { return done.once(); }));
  a.to(b.id).cancel(done);
  Told never_started;
  a.to(b.id).cancel(never_started);
  pass(std::chrono::milliseconds(5));
  EXPECT_EQ(done.count(), 1u);
  EXPECT_EQ(never_started.count(), 0u);
}

}  // namespace krg::testing

#include <cstring>

#include "krg/testing/fabric_conformance.h"

// A receiver that does not keep up.
namespace krg::testing {

TEST_P(FabricConformance, SenderIsStoppedInBoundedMemoryAndGoesOnWithoutLoss) {
  constexpr std::size_t kBytesMax = 256u << 20;
  constexpr std::size_t kSize = 4000;
  constexpr std::uint64_t kAfter = 1000;
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  std::uint64_t arrived = 0;
  b.sink.on_small = [&](Link&, std::span<const std::byte> content) {
    ASSERT_EQ(content.size(), kSize);
    ASSERT_EQ(first_difference(content, arrived), kSize) << "message " << arrived;
    ++arrived;
  };
  stage().pause(b.id, true);
  std::deque<Told> told;
  std::deque<Bytes> buffers;
  std::uint64_t sent = 0;
  int refused = 0;
  // Full only when it stays full although the sender makes progress.
  while (refused < 2000 && sent * kSize < kBytesMax) {
    buffers.push_back(message_of(pattern(kSize, sent)));
    const auto result = a.to(b.id).send(buffers.back(), told.emplace_back());
    if (result) {
      ++sent;
      refused = 0;
      if (*result == fabric::Sent::done) {
        buffers.pop_back();
        told.pop_back();
      }
      continue;
    }
    ASSERT_ERROR(result, Errc::would_block);
    buffers.pop_back();
    told.pop_back();
    ++refused;
    stage().turn();
  }
  ASSERT_LT(sent * kSize, kBytesMax) << "the sender was never stopped";
  const unsigned writable = a.sink.links[0].writable;
  stage().pause(b.id, false);
  ASSERT_TRUE(until([&] { return a.sink.links[0].writable > writable; }))
      << "on_writable never came";
  const std::uint64_t end = sent + kAfter;
  while (sent < end) ASSERT_TRUE(send(a, b.id, pattern(kSize, sent++)));
  EXPECT_TRUE(until([&] { return arrived == end; })) << arrived << " of " << end;
  EXPECT_TRUE(until([&] { return std::ranges::all_of(told, &Told::once); }));
  EXPECT_TRUE(all_sent());
}

TEST_P(FabricConformance, ReceiverThatHoldsLargeMessagesStopsTheirSender) {
  constexpr std::size_t kMessagesMax = 1u << 20;
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  b.sink.on_large_message = Recorder::OnLarge::hold;
  const Bytes data = pattern(100'000, 1);
  const std::vector<std::span<const std::byte>> parts{data};
  std::deque<Told> told;
  int refused = 0;
  while (refused < 1000 && told.size() < kMessagesMax) {
    Bytes header = message_of(pattern(8, told.size()));
    const Status status = a.to(b.id).send_large(header, parts, told.emplace_back());
    if (status) {
      refused = 0;
      continue;
    }
    ASSERT_ERROR(status, Errc::would_block);
    told.pop_back();
    ++refused;
    stage().turn();
  }
  ASSERT_LT(told.size(), kMessagesMax) << "the sender was never stopped";
  b.sink.on_large_message = Recorder::OnLarge::discard;
  auto& arrived = b.sink.links[0].arrived;
  for (std::size_t i = 0; i < arrived.size(); ++i) {
    if (arrived[i]->held != nullptr) Recorder::discard(*arrived[i]);
  }
  EXPECT_TRUE(until(
      [&] { return arrived.size() == told.size() && std::ranges::all_of(told, &Told::once); }));
  EXPECT_GT(a.sink.links[0].writable, 0u);
  Told last;
  EXPECT_TRUE(send_large(a, b.id, pattern(8, 1), parts, last));
  EXPECT_TRUE(until([&] { return last.once(); }));
}

}  // namespace krg::testing

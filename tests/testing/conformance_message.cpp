#include <cstring>

#include "krg/testing/allocations.h"
#include "krg/testing/fabric_conformance.h"

// Small messages: contents, order, cost.
namespace krg::testing {

TEST_P(FabricConformance, SmallMessagesOfEverySizeArriveUnchanged) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  std::vector<std::size_t> sizes{0, 1, 7, 8, 9, 63, 64, 65, 255, 256, 1000, 1024, 2048, 4000};
  sizes.insert(sizes.end(), {4096, 4097, 6000, 8000, 8100, kContentMax - 1, kContentMax});
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    ASSERT_TRUE(send(a, b.id, pattern(sizes[i], i)));
  }
  const auto& arrived = b.sink.links[0].arrived;
  ASSERT_TRUE(until([&] { return arrived.size() == sizes.size(); }));
  for (std::size_t i = 0; i < sizes.size(); ++i) {
    EXPECT_EQ(arrived[i]->content, pattern(sizes[i], i)) << "size " << sizes[i];
  }
  EXPECT_TRUE(all_sent());
}

TEST_P(FabricConformance, ManySmallMessagesStayInOrderBothWays) {
  constexpr std::uint64_t kCount = 20000;
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  std::uint64_t from_a = 0, from_b = 0;
  const auto check = [](std::uint64_t& count) {
    return [&count](Link&, std::span<const std::byte> content) {
      ASSERT_EQ(first_difference(content, count), content.size());
      ++count;
    };
  };
  b.sink.on_small = check(from_a);
  a.sink.on_small = check(from_b);
  for (std::uint64_t i = 0; i < kCount; ++i) {
    ASSERT_TRUE(send(a, b.id, pattern(16 + i * 37 % 500, i)));
    ASSERT_TRUE(send(b, a.id, pattern(16 + i * 53 % 500, i)));
    if (i % 64 == 0) stage().turn();
  }
  EXPECT_TRUE(until([&] { return from_a == kCount && from_b == kCount; }));
  EXPECT_TRUE(all_sent());
}

TEST_P(FabricConformance, BufferIsFreeAgainWhenSendSaysDone) {
  constexpr std::size_t kCount = 500;
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  std::size_t accepted = 0, pending = 0;
  while (accepted < kCount) {
    Bytes buffer = message_of(pattern(1000, accepted));
    auto told = std::make_unique<Told>();
    const auto sent = a.to(b.id).send(buffer, *told);
    if (!sent) {
      ASSERT_ERROR(sent, Errc::would_block);
      stage().turn();
      continue;
    }
    if (*sent == fabric::Sent::pending) {
      ++pending;
      ASSERT_TRUE(until([&] { return told->once(); }));
    }
    std::ranges::fill(buffer, std::byte{0xee});
    ++accepted;
  }
  const auto& arrived = b.sink.links[0].arrived;
  ASSERT_TRUE(until([&] { return arrived.size() == kCount; }));
  for (std::size_t i = 0; i < kCount; ++i) {
    ASSERT_EQ(first_difference(arrived[i]->content, i), 1000u) << "message " << i;
  }
  RecordProperty("pending", static_cast<int>(pending));
}

TEST_P(FabricConformance, SmallMessagesAllocateNothing) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  // One message is under way at a time; that it has come does not mean that its buffer is free.
  struct Slot {
    Bytes message = message_of(pattern(64, 1));
    Told done;
  };
  std::vector<Slot> pings(64), pongs(64);
  std::uint64_t arrived = 0, back = 0;
  b.sink.on_small = [&](Link& link, std::span<const std::byte>) {
    Slot& slot = pongs[arrived++ % pongs.size()];
    EXPECT_OK(link.endpoint->send(slot.message, slot.done));
  };
  a.sink.on_small = [&](Link&, std::span<const std::byte>) { ++back; };
  const auto rounds = [&](std::uint64_t count) {
    const std::uint64_t end = back + count;
    while (back < end) {
      const std::uint64_t before = back;
      Slot& slot = pings[before % pings.size()];
      EXPECT_OK(a.to(b.id).send(slot.message, slot.done));
      for (int turns = 0; back == before && turns < 10'000'000; ++turns) stage().turn();
      ASSERT_NE(back, before) << "no reply";
    }
  };
  // Pools and rings grow to their size, some of them by rare events; then there is silence.
  std::uint64_t allocated = 1;
  for (int window = 0; window < 20 && allocated != 0; ++window) {
    const std::uint64_t before = allocations();
    rounds(1000);
    allocated = allocations() - before;
  }
  EXPECT_EQ(allocated, 0u);
  // The last messages may be told only by the end of their fabric; the slots live until then.
  a.fabric.reset();
  b.fabric.reset();
}

}  // namespace krg::testing

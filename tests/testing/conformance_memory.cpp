#include <cstring>

#include "krg/testing/fabric_conformance.h"

// Put, get and atomic operations on a peer's memory.
namespace krg::testing {
namespace {

std::uint64_t word_at(std::span<const std::byte> memory, std::size_t offset) {
  std::uint64_t word;
  std::memcpy(&word, memory.data() + offset, sizeof word);
  return word;
}

// A page-aligned block, as arenas are.
struct Memory {
  explicit Memory(std::size_t size) : block(size + 4096) {
    void* at = block.data();
    std::size_t space = block.size();
    bytes = {static_cast<std::byte*>(std::align(4096, size, at, space)), size};
  }
  Bytes block;
  std::span<std::byte> bytes;
};

}  // namespace

TEST_P(FabricConformance, PutAndGetMoveEverySizeAtEveryOffset) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  Memory memory(4 << 20);
  auto region = b.fabric->register_memory(memory.bytes);
  ASSERT_OK(region);
  EXPECT_LE((*region)->key().size(), 256u);
  EXPECT_EQ((*region)->memory().data(), memory.bytes.data());
  auto remote = a.to(b.id).attach((*region)->key());
  ASSERT_OK(remote);
  std::uint64_t number = 0;
  for (const std::size_t size : {0u, 1u, 8u, 100u, 4096u, 65'537u, 1u << 20, 3u << 20}) {
    for (const std::size_t offset : {std::size_t{0}, std::size_t{3}, (4u << 20) - size}) {
      const Bytes source = pattern(size, ++number);
      Told put;
      (*remote)->put(offset, source, put);
      ASSERT_TRUE(until([&] { return put.once(); })) << "put " << size << " at " << offset;
      ASSERT_OK(put.status());
      EXPECT_EQ(first_difference(memory.bytes.subspan(offset, size), number), size)
          << "not there when the put was told";
      Bytes back(size);
      Told get;
      (*remote)->get(offset, back, get);
      ASSERT_TRUE(until([&] { return get.once(); })) << "get " << size << " at " << offset;
      ASSERT_OK(get.status());
      EXPECT_EQ(back, source);
    }
  }
}

TEST_P(FabricConformance, AccessOutOfRangeIsInvalidAndChangesNothing) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  Memory memory(8192);
  auto region = b.fabric->register_memory(memory.bytes.first(4096));
  ASSERT_OK(region);
  auto remote = a.to(b.id).attach((*region)->key());
  ASSERT_OK(remote);
  Bytes buffer = pattern(64, 1);
  std::uint64_t old = 0;
  struct Case {
    std::uint64_t offset;
    std::size_t size;
  };
  for (const auto& [offset, size] :
       {Case{4096, 1}, Case{4095, 2}, Case{0, 5000}, Case{~0ull, 2}, Case{~0ull - 7, 64}}) {
    Bytes big = pattern(size, 1);
    Told put, get;
    (*remote)->put(offset, big, put);
    (*remote)->get(offset, big, get);
    ASSERT_TRUE(until([&] { return put.once() && get.once(); }));
    EXPECT_ERROR(put.status(), Errc::invalid_argument);
    EXPECT_ERROR(get.status(), Errc::invalid_argument);
  }
  Told past, odd;
  (*remote)->fetch_add(4096, 1, old, past);
  (*remote)->fetch_add(4, 1, old, odd);
  ASSERT_TRUE(until([&] { return past.once() && odd.once(); }));
  EXPECT_ERROR(past.status(), Errc::invalid_argument);
  EXPECT_ERROR(odd.status(), Errc::invalid_argument);
  for (const std::byte byte : memory.bytes) ASSERT_EQ(byte, std::byte{0});
}

TEST_P(FabricConformance, GarbageIsNotAKey) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  EXPECT_ERROR(a.to(b.id).attach({}), Errc::invalid_argument);
  EXPECT_ERROR(a.to(b.id).attach(pattern(3, 1)), Errc::invalid_argument);
  EXPECT_ERROR(a.to(b.id).attach(pattern(300, 1)), Errc::invalid_argument);
}

TEST_P(FabricConformance, AtomicsOfTwoPeersDoNotLoseUpdates) {
  constexpr std::uint64_t kRounds = 300;
  LocalNode& b = open(2);
  std::vector<LocalNode*> peers{&open(1), &open(3)};
  Memory memory(4096);
  auto region = b.fabric->register_memory(memory.bytes);
  ASSERT_OK(region);
  struct Worker {
    std::unique_ptr<fabric::RemoteRegion> remote;
    std::uint64_t adds = 0, swaps = 0, old_add = 0, old_swap = 0, expected = 0;
    std::unique_ptr<Told> add, swap;
  };
  std::deque<Worker> workers;
  for (LocalNode* peer : peers) {
    ASSERT_TRUE(join(*peer, b));
    auto remote = peer->to(b.id).attach((*region)->key());
    ASSERT_OK(remote);
    workers.emplace_back().remote = std::move(*remote);
  }
  // Each adds 3 to the first word, and counts the second up by compare and swap.
  const auto step = [&](Worker& w) {
    if (w.add != nullptr && w.add->once()) w.add.reset();
    if (w.add == nullptr && w.adds < kRounds) {
      ++w.adds;
      w.add = std::make_unique<Told>();
      w.remote->fetch_add(0, 3, w.old_add, *w.add);
    }
    if (w.swap != nullptr && w.swap->once()) {
      if (w.old_swap == w.expected) ++w.swaps;
      w.expected = w.old_swap == w.expected ? w.expected + 1 : w.old_swap;
      w.swap.reset();
    }
    if (w.swap == nullptr && w.swaps < kRounds) {
      w.swap = std::make_unique<Told>();
      w.remote->compare_swap(8, w.expected, w.expected + 1, w.old_swap, *w.swap);
    }
    return w.add == nullptr && w.swap == nullptr;
  };
  ASSERT_TRUE(until([&] {
    return std::ranges::count_if(workers, step) == static_cast<std::ptrdiff_t>(workers.size());
  }));
  EXPECT_EQ(word_at(memory.bytes, 0), 2 * kRounds * 3);
  EXPECT_EQ(word_at(memory.bytes, 8), 2 * kRounds);
}

TEST_P(FabricConformance, MemoryOfAnotherProcessIsReadAndChanged) {
  LocalNode& a = open(1);
  auto remote_node = start(PeerRole::memory, 2);
  ASSERT_TRUE(join(a, NodeId{2}, *remote_node));
  Link& link = *a.sink.link(NodeId{2});
  ASSERT_TRUE(until([&] { return !link.arrived.empty(); }));
  auto remote = link.endpoint->attach(link.arrived[0]->content);
  ASSERT_OK(remote);
  const Bytes source = pattern(kPeerMemory - 64, 1);
  Bytes back(source.size());
  Told put, get, add, swap, wrong;
  (*remote)->put(64, source, put);
  ASSERT_TRUE(until([&] { return put.once(); }));
  ASSERT_OK(put.status());
  (*remote)->get(64, back, get);
  ASSERT_TRUE(until([&] { return get.once(); }));
  EXPECT_EQ(back, source);
  std::uint64_t old = 99;
  (*remote)->fetch_add(8, 5, old, add);
  ASSERT_TRUE(until([&] { return add.once(); }));
  EXPECT_OK(add.status());
  EXPECT_EQ(old, 0u);
  (*remote)->compare_swap(8, 5, 1ull << 40, old, swap);
  ASSERT_TRUE(until([&] { return swap.once(); }));
  EXPECT_EQ(old, 5u);
  (*remote)->compare_swap(8, 5, 7, old, wrong);
  ASSERT_TRUE(until([&] { return wrong.once(); }));
  EXPECT_OK(wrong.status());
  EXPECT_EQ(old, 1ull << 40);
}

}  // namespace krg::testing

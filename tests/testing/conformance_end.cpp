#include <chrono>
#include <cstring>
#include <thread>

#include "krg/testing/fabric_conformance.h"

// How connections end, and what comes after.
namespace krg::testing {
namespace {

// The incarnation in front of an echo.
std::uint32_t incarnation_of(const Arrived& reply) {
  std::uint32_t incarnation = 0;
  if (reply.content.size() >= 8) std::memcpy(&incarnation, reply.content.data(), 4);
  return incarnation;
}

std::uint32_t number_of(const Arrived& reply) {
  std::uint32_t number = ~0u;
  if (reply.content.size() >= 8) std::memcpy(&number, reply.content.data() + 4, 4);
  return number;
}

}  // namespace

TEST_P(FabricConformance, CloseDeliversEverythingFirst) {
  constexpr std::size_t kCount = 200;
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  for (std::size_t i = 0; i < kCount; ++i) ASSERT_TRUE(send(a, b.id, pattern(1000, i)));
  const Bytes data = pattern(1 << 20, 5);
  Told done;
  ASSERT_TRUE(
      send_large(a, b.id, pattern(8, 1), std::vector<std::span<const std::byte>>{data}, done));
  a.to(b.id).close();
  Link& at_a = a.sink.links[0];
  Link& at_b = b.sink.links[0];
  ASSERT_TRUE(until([&] { return at_a.down && at_b.down; }));
  EXPECT_TRUE(at_a.graceful);
  EXPECT_TRUE(at_b.graceful);
  EXPECT_TRUE(done.once()) << "a completion came after on_down";
  EXPECT_OK(done.status());
  ASSERT_EQ(at_b.arrived.size(), kCount + 1);
  for (std::size_t i = 0; i < kCount; ++i) {
    EXPECT_EQ(first_difference(at_b.arrived[i]->content, i), 1000u);
  }
  EXPECT_TRUE(at_b.all_whole());
  EXPECT_EQ(first_difference(at_b.arrived[kCount]->data, 5), data.size());
  EXPECT_TRUE(all_sent());
}

TEST_P(FabricConformance, BothMayCloseAtOnce) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  ASSERT_TRUE(send(a, b.id, pattern(10, 1)));
  ASSERT_TRUE(send(b, a.id, pattern(10, 2)));
  a.to(b.id).close();
  b.to(a.id).close();
  ASSERT_TRUE(until([&] { return a.sink.links[0].down && b.sink.links[0].down; }));
  EXPECT_EQ(a.sink.links[0].arrived.size(), 1u);
  EXPECT_EQ(b.sink.links[0].arrived.size(), 1u);
}

TEST_P(FabricConformance, NothingIsAcceptedAfterClose) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  fabric::Endpoint& endpoint = a.to(b.id);
  endpoint.close();
  if (!a.sink.links[0].down) {
    Bytes message = message_of(pattern(8, 1));
    Told done;
    EXPECT_ERROR(endpoint.send(message, done), Errc::peer_down);
    EXPECT_ERROR(endpoint.send_large(message, {}, done), Errc::peer_down);
  }
  EXPECT_TRUE(until([&] { return a.sink.links[0].down && b.sink.links[0].down; }));
}

TEST_P(FabricConformance, ClosedPeersConnectAgain) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  for (std::size_t round = 0; round < 10; ++round) {
    ASSERT_TRUE(join(a, b)) << "round " << round;
    ASSERT_TRUE(send(a, b.id, pattern(100, round)));
    (round % 2 == 0 ? a.to(b.id) : b.to(a.id)).close();
    ASSERT_TRUE(until([&] { return a.sink.links[round].down && b.sink.links[round].down; }));
    EXPECT_TRUE(round % 2 == 1 || b.sink.links[round].arrived.size() == 1);
  }
}

TEST_P(FabricConformance, DestroyingAFabricTellsItsPeers) {
  LocalNode& a = open(1);
  LocalNode& b = open(2);
  ASSERT_TRUE(join(a, b));
  b.fabric.reset();
  EXPECT_TRUE(until([&] { return a.sink.links[0].down; }));
}

TEST_P(FabricConformance, KilledPeerEndsEveryOperation) {
  LocalNode& a = open(1);
  auto remote = start(PeerRole::hang, 2);
  ASSERT_TRUE(join(a, NodeId{2}, *remote));
  Link& link = *a.sink.link(NodeId{2});
  const Bytes data = pattern(4 << 20, 1);
  std::deque<Told> done(4);
  for (Told& one : done) {
    ASSERT_TRUE(send_large(a, NodeId{2}, pattern(8, 1),
                           std::vector<std::span<const std::byte>>{data}, one));
  }
  pass(std::chrono::milliseconds(50));
  for (const Told& one : done) EXPECT_EQ(one.count(), 0u) << "nobody has received it";
  remote->kill();
  // Also with traffic under way when the news comes.
  std::deque<Bytes> buffers;
  std::deque<Told> small;
  while (link.up() && buffers.size() < 100) {
    buffers.push_back(message_of(pattern(4000, 1)));
    const auto sent = link.endpoint->send(buffers.back(), small.emplace_back());
    if (!sent || *sent == fabric::Sent::done) small.pop_back();
    stage().turn();
  }
  ASSERT_TRUE(until([&] { return link.down; }, std::chrono::seconds(10)));
  EXPECT_FALSE(link.graceful);
  for (const Told& one : done) {
    EXPECT_TRUE(one.once()) << "told " << one.count() << " times before on_down";
    EXPECT_FALSE(one.status());
  }
  for (const Told& one : small) EXPECT_TRUE(one.once());
}

TEST_P(FabricConformance, KilledPeerEndsMemoryOperations) {
  LocalNode& a = open(1);
  auto remote_node = start(PeerRole::memory, 2);
  ASSERT_TRUE(join(a, NodeId{2}, *remote_node));
  Link& link = *a.sink.link(NodeId{2});
  ASSERT_TRUE(until([&] { return !link.arrived.empty(); }));
  auto remote = link.endpoint->attach(link.arrived[0]->content);
  ASSERT_OK(remote);
  remote_node->stop();
  Bytes from = pattern(100'000, 1), into(100'000);
  std::uint64_t old = 0;
  std::deque<Told> done(3);
  (*remote)->put(0, from, done[0]);
  (*remote)->get(0, into, done[1]);
  (*remote)->fetch_add(0, 1, old, done[2]);
  pass(std::chrono::milliseconds(20));
  remote_node->kill();
  ASSERT_TRUE(until([&] { return link.down; }, std::chrono::seconds(10)));
  for (const Told& one : done) EXPECT_TRUE(one.once());
}

TEST_P(FabricConformance, StoppedPeerIsNotDownAndLosesNothing) {
  constexpr std::uint32_t kCount = 300;
  LocalNode& a = open(1);
  auto remote = start(PeerRole::echo, 2);
  ASSERT_TRUE(join(a, NodeId{2}, *remote));
  Link& link = *a.sink.link(NodeId{2});
  ASSERT_TRUE(send(a, NodeId{2}, pattern(100, 0)));
  ASSERT_TRUE(until([&] { return link.arrived.size() == 1; }));
  remote->stop();
  const Bytes data = pattern(1 << 20, 9);
  Told done;
  ASSERT_TRUE(
      send_large(a, NodeId{2}, pattern(8, 1), std::vector<std::span<const std::byte>>{data}, done));
  std::deque<Bytes> buffers;
  std::deque<Told> told;
  std::uint32_t sent = 2;
  while (sent < kCount) {
    buffers.push_back(message_of(pattern(100, sent)));
    const auto result = link.endpoint->send(buffers.back(), told.emplace_back());
    if (result && *result == fabric::Sent::pending) {
      ++sent;
      continue;
    }
    told.pop_back();
    if (!result) break;
    ++sent;
  }
  pass(std::chrono::seconds(1));
  EXPECT_TRUE(link.up()) << "a stopped peer was given up: " << link.why.message();
  remote->resume();
  ASSERT_TRUE(
      until([&] { return link.down || (link.arrived.size() == sent && link.all_whole()); }));
  ASSERT_TRUE(link.up());
  for (std::uint32_t i = 0; i < sent; ++i) {
    EXPECT_EQ(number_of(*link.arrived[i]), i) << "lost or out of order";
    if (i == 1) continue;
    const std::span content(link.arrived[i]->content);
    ASSERT_EQ(content.size(), 108u);
    EXPECT_EQ(first_difference(content.subspan(8), i), 100u);
  }
  EXPECT_EQ(link.arrived[1]->data, data);
}

// Goal    the next life of a peer is another connection, and nothing its last life sent is in it.
// Method  the first life answers 50 messages into queues that nobody reads, rests, and is killed.
//         (It must rest: whoever is killed inside the lock of libfabric's shm stops its peers.)
TEST_P(FabricConformance, ReturnedPeerIsANewConnectionWithoutOldMessages) {
  LocalNode& a = open(1);
  auto first = start(PeerRole::echo, 2, Incarnation{1});
  ASSERT_TRUE(join(a, NodeId{2}, *first));
  ASSERT_TRUE(send(a, NodeId{2}, pattern(100, 0)));
  ASSERT_TRUE(until([&] { return !a.sink.links[0].arrived.empty(); }));
  for (std::size_t i = 1; i < 50; ++i) ASSERT_TRUE(send(a, NodeId{2}, pattern(100, i)));
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  first->kill();
  ASSERT_TRUE(until([&] { return a.sink.links[0].down; }, std::chrono::seconds(10)));
  auto second = start(PeerRole::echo, 2, Incarnation{2});
  ASSERT_TRUE(join(a, NodeId{2}, *second));
  ASSERT_EQ(a.sink.links.size(), 2u);
  Link& link = a.sink.links[1];
  EXPECT_EQ(link.peer, (fabric::Identity{NodeId{2}, Incarnation{2}}));
  for (std::size_t i = 0; i < 20; ++i) ASSERT_TRUE(send(a, NodeId{2}, pattern(200, i)));
  ASSERT_TRUE(until([&] { return link.arrived.size() >= 20; }));
  pass(std::chrono::milliseconds(50));
  ASSERT_EQ(link.arrived.size(), 20u);
  for (std::uint32_t i = 0; i < 20; ++i) {
    EXPECT_EQ(incarnation_of(*link.arrived[i]), 2u);
    EXPECT_EQ(number_of(*link.arrived[i]), i);
    EXPECT_EQ(link.arrived[i]->content.size(), 208u);
  }
  for (const auto& reply : a.sink.links[0].arrived) EXPECT_EQ(incarnation_of(*reply), 1u);
}

TEST_P(FabricConformance, RemotePeerEchoesEverySize) {
  LocalNode& a = open(1);
  auto remote = start(PeerRole::echo, 2);
  ASSERT_TRUE(join(a, NodeId{2}, *remote));
  Link& link = *a.sink.link(NodeId{2});
  std::uint64_t number = 0;
  for (const std::size_t size : {0u, 1u, 64u, 1000u, 4096u, 8000u}) {
    ASSERT_TRUE(send(a, NodeId{2}, pattern(size, number)));
    ASSERT_TRUE(until([&] { return link.arrived.size() == number + 1; })) << "size " << size;
    const std::span content(link.arrived[number]->content);
    EXPECT_EQ(content.size(), size + 8);
    EXPECT_EQ(first_difference(content.subspan(8), number), size);
    ++number;
  }
  for (const std::size_t size : {0u, 100u, 65'536u, 1u << 20, 16u << 20}) {
    const Bytes data = pattern(size, number);
    Told done;
    ASSERT_TRUE(send_large(a, NodeId{2}, pattern(8, 1),
                           std::vector<std::span<const std::byte>>{data}, done));
    ASSERT_TRUE(until([&] {
      return done.once() && link.arrived.size() == number + 1 && link.arrived[number]->whole();
    })) << "size "
        << size;
    EXPECT_EQ(link.arrived[number]->data, data);
    ++number;
  }
}

// Goal    a peer that has gone to sleep before anything was sent to it hears the first message.
// Method  200 ms of nothing, far longer than a reactor polls; then a message, and its echo.
TEST_P(FabricConformance, FirstMessageWakesAPeerThatSleeps) {
  LocalNode& a = open(1);
  auto remote = start(PeerRole::echo, 2);
  ASSERT_TRUE(join(a, NodeId{2}, *remote));
  Link& link = *a.sink.link(NodeId{2});
  EXPECT_FALSE(until([&] { return !link.arrived.empty(); }, std::chrono::milliseconds(200)));
  ASSERT_TRUE(send(a, NodeId{2}, pattern(100, 1)));
  EXPECT_TRUE(until([&] { return link.arrived.size() == 1; }, std::chrono::seconds(5)));
}

}  // namespace krg::testing

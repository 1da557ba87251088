#include "krg/sim/world.h"

#include <gtest/gtest.h>

#include <array>
#include <set>

#include "krg/reactor/event.h"
#include "krg/testing/fabric_conformance.h"
#include "krg/testing/seed.h"

// What the simulated world adds to a fabric: chance that follows a seed, time, and misfortune.
namespace krg::sim {
namespace {

using namespace std::chrono_literals;
using krg::testing::Bytes;
using krg::testing::Recorder;
using krg::testing::Told;

fabric::Options options_of(NodeId node, std::uint32_t incarnation = 1) {
  fabric::Options options;
  options.self = {node, Incarnation{incarnation}};
  return options;
}

// One node with a recorder.
struct Node {
  Node(World& world, std::uint32_t id, std::uint32_t incarnation = 1) : id(id) {
    auto opened = world.open(world.reactor(this->id), sink, options_of(this->id, incarnation));
    EXPECT_OK(opened);
    fabric = std::move(*opened);
  }
  void send(World& world, NodeId to, const Bytes& content) {
    buffers.push_back(testing::message_of(content));
    world.run_until([&] { return !sink.link(to) || try_send(to); }, 10s);
  }
  bool try_send(NodeId to) {
    return sink.link(to)->endpoint->send(buffers.back(), told.emplace_back()).has_value();
  }
  std::size_t arrived(std::size_t link = 0) { return sink.links[link].arrived.size(); }

  NodeId id;
  Recorder sink;
  std::deque<Bytes> buffers;
  std::deque<Told> told;
  std::unique_ptr<fabric::Fabric> fabric;  // Goes first: until then completions are told.
};

bool join(World& world, Node& a, Node& b) {
  a.fabric->connect(b.id, b.fabric->address(), Deadline(world.now() + 5s));
  return world.run_until(
      [&] { return a.sink.link(b.id) != nullptr && b.sink.link(a.id) != nullptr; }, 10s);
}

// Five nodes that talk for a while; what has happened, as a number.
std::uint64_t talk(std::uint64_t seed) {
  World world({.seed = seed, .nodes = 5});
  std::deque<Node> nodes;
  for (std::uint32_t i = 0; i < 5; ++i) nodes.emplace_back(world, i);
  for (std::size_t i = 1; i < 5; ++i) EXPECT_TRUE(join(world, nodes[0], nodes[i]));
  for (std::size_t round = 0; round < 20; ++round) {
    for (std::size_t i = 1; i < 5; ++i) nodes[i].send(world, NodeId{0}, testing::pattern(100, i));
  }
  EXPECT_TRUE(world.run_until(
      [&] {
        return std::ranges::all_of(nodes[0].sink.links,
                                   [](const auto& link) { return link.arrived.size() == 20; });
      },
      10s));
  return world.trace();
}

TEST(SimWorld, SameSeedGivesTheSameTraceAndAnotherSeedAnother) {
  std::set<std::uint64_t> traces;
  for (std::uint64_t i = 0; i < 20; ++i) {
    const std::uint64_t trace = talk(testing::seed() + i);
    EXPECT_EQ(trace, talk(testing::seed() + i));
    traces.insert(trace);
  }
  EXPECT_EQ(traces.size(), 20u);
}

TEST(SimWorld, MessagesOfDifferentPeersOvertakeEachOther) {
  std::set<std::vector<std::uint64_t>> orders;
  for (std::uint64_t i = 0; i < 50; ++i) {
    World world({.seed = testing::seed() + i, .nodes = 4});
    Node to(world, 0), a(world, 1), b(world, 2), c(world, 3);
    std::vector<std::uint64_t> order;
    to.sink.on_small = [&](testing::Link& link, std::span<const std::byte>) {
      order.push_back(link.peer.node.value);
    };
    for (Node* node : {&a, &b, &c}) ASSERT_TRUE(join(world, *node, to));
    for (Node* node : {&a, &b, &c}) {
      node->buffers.push_back(testing::message_of({}));
      ASSERT_TRUE(node->try_send(to.id));
    }
    ASSERT_TRUE(world.run_until([&] { return order.size() == 3; }, 1s));
    orders.insert(order);
  }
  EXPECT_EQ(orders.size(), 6u) << "all orders of three should come in 50 tries";
}

TEST(SimWorld, CutLinkHoldsMessagesUntilItIsMended) {
  World world({.seed = testing::seed(), .nodes = 3});
  Node a(world, 0), b(world, 1), c(world, 2);
  ASSERT_TRUE(join(world, a, b));
  ASSERT_TRUE(join(world, a, c));
  world.cut(a.id, b.id);
  for (std::uint64_t i = 0; i < 10; ++i) {
    a.send(world, b.id, testing::pattern(50, i));
    a.send(world, c.id, testing::pattern(50, i));
  }
  world.run_for(2s);
  EXPECT_EQ(b.arrived(), 0u);
  EXPECT_EQ(c.arrived(), 10u) << "another link was hurt";
  world.mend(a.id, b.id);
  a.send(world, b.id, testing::pattern(50, 10));
  ASSERT_TRUE(world.run_until([&] { return b.arrived() == 11; }, 1s));
  for (std::uint64_t i = 0; i <= 10; ++i) {
    EXPECT_EQ(b.sink.links[0].arrived[i]->content, testing::pattern(50, i));
  }
  EXPECT_FALSE(a.sink.links[0].down);
}

TEST(SimWorld, LinkCutForLongEndsItsConnectionsAndMendedAllowsNewOnes) {
  World world({.seed = testing::seed(), .nodes = 2});
  Node a(world, 0), b(world, 1);
  ASSERT_TRUE(join(world, a, b));
  world.cut(a.id, b.id);
  a.send(world, b.id, testing::pattern(50, 1));
  world.run_for(16s);
  for (Node* node : {&a, &b}) {
    ASSERT_TRUE(node->sink.links[0].down);
    EXPECT_FALSE(node->sink.links[0].graceful);
    EXPECT_TRUE(node->sink.links[0].why == Errc::unreachable);
  }
  a.fabric->connect(b.id, b.fabric->address(), Deadline(world.now() + 1s));
  ASSERT_TRUE(world.run_until([&] { return a.sink.failures.size() == 1; }, 2s));
  world.mend(a.id, b.id);
  ASSERT_TRUE(join(world, a, b));
  EXPECT_EQ(b.sink.links[1].arrived.size(), 0u) << "a message of the old connection";
}

TEST(SimWorld, KilledNodeIsNoticedByItsPeersAndComesBackNew) {
  for (std::uint64_t i = 0; i < 100; ++i) {
    World world({.seed = testing::seed() + i, .nodes = 2});
    Node a(world, 0);
    auto b = std::make_unique<Node>(world, 1);
    ASSERT_TRUE(join(world, a, *b));
    for (std::uint64_t n = 0; n < 20; ++n) b->send(world, a.id, testing::pattern(100, n));
    const TimePoint death = world.now();
    world.kill(b->id);
    b.reset();
    ASSERT_TRUE(world.run_until([&] { return a.sink.links[0].down; }, 1s));
    EXPECT_GE(world.now() - death, 2ms);
    EXPECT_LE(world.now() - death, 201ms);
    const auto& arrived = a.sink.links[0].arrived;
    for (std::size_t n = 0; n < arrived.size(); ++n) {
      EXPECT_EQ(arrived[n]->content, testing::pattern(100, n))
          << "not a beginning of what was sent";
    }
    world.restart(NodeId{1});
    Node again(world, 1, 2);
    ASSERT_TRUE(join(world, again, a));
    EXPECT_EQ(a.sink.links[1].peer.incarnation, Incarnation{2});
    EXPECT_TRUE(a.sink.links[1].arrived.empty());
  }
}

TEST(SimWorld, RestartedNodeThatConnectsBeforeItsDeathIsNoticedReplacesItsOldLife) {
  World world({.seed = testing::seed(), .nodes = 2, .detect_min = 1s, .detect_max = 1s});
  Node a(world, 0);
  auto b = std::make_unique<Node>(world, 1);
  ASSERT_TRUE(join(world, a, *b));
  world.kill(b->id);
  b.reset();
  world.restart(NodeId{1});
  Node again(world, 1, 2);
  ASSERT_TRUE(join(world, again, a));
  ASSERT_EQ(a.sink.links.size(), 2u);
  EXPECT_TRUE(a.sink.links[0].down);
  EXPECT_TRUE(a.sink.links[1].up());
  world.run_for(3s);
  EXPECT_TRUE(a.sink.links[1].up()) << "the news of the old life's death ended the new one";
}

// Goal    no connection is half open for ever.
// Method  the asker gives up, or dies, at every moment between its question and the answer.
TEST(SimWorld, ConnectionWhoseAskerIsGoneWhenItIsAcceptedEnds) {
  for (std::uint64_t i = 0; i < 200; ++i) {
    World world({.seed = testing::seed() + i, .nodes = 2});
    auto a = std::make_unique<Node>(world, 0);
    Node b(world, 1);
    const bool dies = i % 2 == 0;
    const auto moment = std::chrono::microseconds(i / 4);
    const Duration patience = dies ? Duration(5s) : Duration(moment);
    a->fabric->connect(b.id, b.fabric->address(), Deadline(world.now() + patience));
    world.run_for(moment);
    if (dies) {
      world.kill(a->id);
      a.reset();
    }
    world.run_for(1s);
    if (dies || a->sink.up_count() == 0) {
      EXPECT_EQ(b.sink.up_count(), 0u) << "half open";
    }
  }
}

// Goal    nothing of a connection that broke before its asker knew of it appears in the next one.
// Method  the answer and a message behind it are on a slow link when it is cut for good; then the
//         answering side asks.
TEST(SimWorld, AnswerLostWithItsLinkLeavesNothingToTheNextConnection) {
  World world({.seed = testing::seed(), .nodes = 2, .link_timeout = 100ms});
  Node a(world, 1), b(world, 0);
  world.set_latency(b.id, a.id, {.min = 10ms, .max = 10ms, .tail_per_mille = 0});
  a.fabric->connect(b.id, b.fabric->address(), Deadline(world.now() + 60s));
  ASSERT_TRUE(world.run_until([&] { return b.sink.link(a.id) != nullptr; }, 5ms));
  b.send(world, a.id, testing::pattern(50, 1));
  world.cut(a.id, b.id);
  ASSERT_TRUE(world.run_until([&] { return b.sink.links[0].down; }, 1s));
  world.mend(a.id, b.id);
  ASSERT_TRUE(join(world, b, a));
  b.send(world, a.id, testing::pattern(50, 2));
  world.run_for(1s);
  ASSERT_EQ(a.sink.links.size(), 1u);
  ASSERT_EQ(a.arrived(), 1u);
  EXPECT_EQ(a.sink.links[0].arrived[0]->content, testing::pattern(50, 2));
}

// Goal    an answer that is lost with its link does not hold up the next connection.
// Method  as before, but the asker is the lower node, whose own question counts more than others'.
TEST(SimWorld, AskerWhoseAnswerIsLostWithItsLinkLearnsOfItAndAnswersTheNextQuestion) {
  for (std::uint32_t asker = 0; asker < 2; ++asker) {
    World world({.seed = testing::seed(), .nodes = 2, .link_timeout = 100ms});
    Node a(world, asker), b(world, 1 - asker);
    world.set_latency(b.id, a.id, {.min = 10ms, .max = 10ms, .tail_per_mille = 0});
    a.fabric->connect(b.id, b.fabric->address(), Deadline(world.now() + 60s));
    ASSERT_TRUE(world.run_until([&] { return b.sink.link(a.id) != nullptr; }, 5ms));
    world.cut(a.id, b.id);
    ASSERT_TRUE(world.run_until([&] { return b.sink.links[0].down; }, 1s));
    ASSERT_TRUE(world.run_until([&] { return a.sink.failures.size() == 1; }, 1ms));
    world.mend(a.id, b.id);
    b.fabric->connect(a.id, a.fabric->address(), Deadline(world.now() + 60s));
    EXPECT_TRUE(world.run_until([&] { return a.sink.link(b.id) && b.sink.link(a.id); }, 100ms));
  }
}

// Goal    a question that a cut link holds is answered when the link is mended, however late.
TEST(SimWorld, QuestionThatOutlivesTheCutIsAnsweredWhenTheLinkIsMended) {
  for (std::uint32_t asker = 0; asker < 2; ++asker) {
    World world({.seed = testing::seed(), .nodes = 2, .link_timeout = 100ms});
    Node a(world, asker), b(world, 1 - asker);
    world.cut(a.id, b.id);
    a.fabric->connect(b.id, b.fabric->address(), Deadline(world.now() + 60s));
    world.run_for(1s);
    EXPECT_TRUE(a.sink.failures.empty());
    world.mend(a.id, b.id);
    EXPECT_TRUE(world.run_until([&] { return a.sink.link(b.id) && b.sink.link(a.id); }, 100ms));
  }
}

// Goal    a question that reaches a node which never answers it does not hold up its next life.
// Method  the node is stopped when it is asked, and then killed; the next life asks the asker.
TEST(SimWorld, QuestionThatDiesWithItsNodeIsTurnedAway) {
  for (std::uint32_t asker = 0; asker < 2; ++asker) {
    World world({.seed = testing::seed(), .nodes = 2});
    Node a(world, asker);
    auto b = std::make_unique<Node>(world, 1 - asker);
    world.stop(b->id);
    a.fabric->connect(b->id, b->fabric->address(), Deadline(world.now() + 60s));
    world.run_for(10ms);
    world.kill(b->id);
    b.reset();
    ASSERT_TRUE(world.run_until([&] { return a.sink.failures.size() == 1; }, 300ms));
    world.restart(NodeId{1 - asker});
    Node again(world, 1 - asker, 2);
    ASSERT_TRUE(join(world, again, a));
  }
}

// Goal    an answer to a question that was given up does not leave its sender half connected.
// Method  the asker is stopped as its question times out and the answer comes; then it asks anew.
TEST(SimWorld, AnswerThatFindsItsQuestionGivenUpIsTurnedAway) {
  for (std::uint32_t asker = 0; asker < 2; ++asker) {
    World world({.seed = testing::seed(), .nodes = 2});
    Node a(world, asker), b(world, 1 - asker);
    a.fabric->connect(b.id, b.fabric->address(), Deadline(world.now() + 10us));
    world.stop(a.id);
    world.set_latency(b.id, a.id, {.min = 1ms, .max = 1ms, .tail_per_mille = 0});
    ASSERT_TRUE(world.run_until([&] { return b.sink.link(a.id) != nullptr; }, 100ms));
    world.run_for(10ms);
    world.resume(a.id);
    ASSERT_TRUE(world.run_until([&] { return a.sink.failures.size() == 1; }, 1ms));
    ASSERT_TRUE(join(world, a, b));
    EXPECT_TRUE(a.sink.links.back().up());
    EXPECT_EQ(b.sink.up_count(), 1u);
  }
}

TEST(SimWorld, StoppedNodeDoesNotRunAndGoesOnWhereItWas) {
  World world({.seed = testing::seed(), .nodes = 2});
  Node a(world, 0), b(world, 1);
  ASSERT_TRUE(join(world, a, b));
  int ticks = 0;
  reactor::Reactor& reactor = world.reactor(b.id);
  reactor.spawn([](reactor::Reactor& r, int& n) -> Co<void> {
    for (;; ++n) co_await reactor::sleep_for(r, 10ms);
  }(reactor, ticks));
  world.run_for(100ms);
  EXPECT_GE(ticks, 8);
  world.stop(b.id);
  const int before = ticks;
  a.send(world, b.id, testing::pattern(9, 1));
  world.run_for(1s);
  EXPECT_EQ(ticks, before);
  EXPECT_EQ(b.arrived(), 0u);
  world.resume(b.id);
  world.run_for(100ms);
  EXPECT_GE(ticks, before + 8);
  EXPECT_EQ(b.arrived(), 1u);
  EXPECT_TRUE(a.sink.links[0].up());
}

struct Mailbox final : Datagrams {
  void on_datagram(std::span<const std::byte> content) noexcept override {
    came.emplace_back(content.begin(), content.end());
  }
  void on_refused(NodeId node) noexcept override { refused.push_back(node); }
  std::vector<Bytes> came;
  std::vector<NodeId> refused;
};

TEST(SimWorld, DatagramsAreLostOnCutLinksAndRefusedByTheDead) {
  World world({.seed = testing::seed(), .nodes = 2});
  Node a(world, 0);
  auto b = std::make_unique<Node>(world, 1);
  Mailbox of_a, of_b;
  world.set_datagrams(a.id, &of_a);
  world.set_datagrams(b->id, &of_b);
  const Bytes word = testing::pattern(33, 1);
  world.send_datagram(a.id, b->id, word);
  world.run_for(10ms);
  ASSERT_EQ(of_b.came.size(), 1u);
  EXPECT_EQ(of_b.came[0], word);
  world.cut(a.id, b->id);
  world.send_datagram(a.id, b->id, word);
  world.run_for(10ms);
  world.mend(a.id, b->id);
  world.run_for(10ms);
  EXPECT_EQ(of_b.came.size(), 1u) << "a cut link kept a datagram";
  world.stop(b->id);
  world.send_datagram(a.id, b->id, word);
  world.run_for(10ms);
  EXPECT_TRUE(of_a.refused.empty()) << "a node that is stopped keeps its port";
  world.kill(b->id);
  b.reset();
  world.send_datagram(a.id, NodeId{1}, word);
  world.run_for(10ms);
  EXPECT_EQ(of_a.refused, std::vector{NodeId{1}});
  EXPECT_EQ(of_b.came.size(), 1u);
}

TEST(SimWorld, SlowLinkIsSlowInOneDirection) {
  World world({.seed = testing::seed(), .nodes = 2});
  Node a(world, 0), b(world, 1);
  ASSERT_TRUE(join(world, a, b));
  world.set_latency(a.id, b.id, {.min = 50ms, .max = 50ms, .tail_per_mille = 0});
  TimePoint begin = world.now();
  a.send(world, b.id, testing::pattern(9, 1));
  ASSERT_TRUE(world.run_until([&] { return b.arrived() == 1; }, 1s));
  EXPECT_GE(world.now() - begin, 50ms);
  begin = world.now();
  b.send(world, a.id, testing::pattern(9, 1));
  ASSERT_TRUE(world.run_until([&] { return a.arrived() == 1; }, 1s));
  EXPECT_LT(world.now() - begin, 5ms);
}

TEST(SimWorld, TimePassesBesideANodeThatNeverRests) {
  struct Restless final : reactor::Poller {
    bool poll() noexcept override { return true; }
  } restless;
  World world({.seed = testing::seed(), .nodes = 2});
  world.reactor(NodeId{0}).add_poller(restless);
  bool woke = false;
  reactor::Reactor& reactor = world.reactor(NodeId{1});
  reactor.spawn([](reactor::Reactor& r, bool& done) -> Co<void> {
    co_await reactor::sleep_for(r, 5ms);
    done = true;
  }(reactor, woke));
  EXPECT_TRUE(world.run_until([&] { return woke; }, 1s));
}

TEST(SimWorld, NodesAreCheap) {
  constexpr std::uint32_t kNodes = 2000;
  World world({.seed = testing::seed(), .nodes = kNodes});
  std::deque<Node> nodes;
  for (std::uint32_t i = 0; i < kNodes; ++i) nodes.emplace_back(world, i);
  for (std::uint32_t i = 0; i < kNodes; ++i) {
    Node& next = nodes[(i + 1) % kNodes];
    nodes[i].fabric->connect(next.id, next.fabric->address(), Deadline(world.now() + 5s));
  }
  EXPECT_TRUE(world.run_until(
      [&] { return nodes.front().sink.up_count() == 2 && nodes.back().sink.up_count() == 2; }, 1s));
}

}  // namespace
}  // namespace krg::sim

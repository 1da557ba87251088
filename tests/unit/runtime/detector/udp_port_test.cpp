// Goal    datagrams with the right key arrive, others do not, and a closed port is told.
// Method  two real sockets on loopback.
#include "krg/detector/udp_port.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "krg/testing/drive.h"
#include "krg/testing/matchers.h"

namespace krg::detector {
namespace {

struct Sink final : DatagramSink {
  void on_datagram(wire::Bytes datagram) noexcept override {
    received.emplace_back(reinterpret_cast<const char*>(datagram.data()), datagram.size());
  }
  void on_refused(NodeId node) noexcept override { refused.push_back(node); }
  std::vector<std::string> received;
  std::vector<NodeId> refused;
};

class UdpPortTest : public ::testing::TestWithParam<const char*> {
 protected:
  std::unique_ptr<UdpPort> open(Sink& sink, std::uint8_t key = 1) {
    DatagramKey secret{};
    secret[0] = std::byte{key};
    auto port = UdpPort::open(reactor_, GetParam(), secret);
    EXPECT_OK(port);
    (*port)->set_sink(sink);
    return *std::move(port);
  }
  bool until(const testing::Condition& condition) {
    reactor::Reactor* const reactors[] = {&reactor_};
    return testing::turn_until(reactors, condition, std::chrono::seconds(5));
  }
  static wire::Bytes bytes(const std::string& text) {
    return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
  }

  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  Sink one_, two_;
};

TEST_P(UdpPortTest, ADatagramArrives) {
  const auto a = open(one_);
  const auto b = open(two_);
  ASSERT_OK(a->set_peer(NodeId{7}, b->address()));
  a->send(NodeId{7}, bytes("hello"));
  a->send(NodeId{8}, bytes("nobody"));
  EXPECT_TRUE(until([&] { return !two_.received.empty(); }));
  EXPECT_EQ(two_.received, std::vector<std::string>{"hello"});
}

TEST_P(UdpPortTest, AForeignKeyIsNotHeard) {
  const auto a = open(one_);
  const auto foreign = open(one_, 2);
  const auto b = open(two_);
  ASSERT_OK(a->set_peer(NodeId{7}, b->address()));
  ASSERT_OK(foreign->set_peer(NodeId{7}, b->address()));
  foreign->send(NodeId{7}, bytes("forged"));
  a->send(NodeId{7}, bytes("true"));
  EXPECT_TRUE(until([&] { return !two_.received.empty(); }));
  EXPECT_EQ(two_.received, std::vector<std::string>{"true"});
}

TEST_P(UdpPortTest, AClosedPortIsToldAndOthersAreStillReached) {
  const auto a = open(one_);
  const auto b = open(two_);
  Sink third;
  auto c = open(third);
  ASSERT_OK(a->set_peer(NodeId{7}, b->address()));
  ASSERT_OK(a->set_peer(NodeId{8}, c->address()));
  c.reset();
  a->send(NodeId{8}, bytes("anybody"));
  EXPECT_TRUE(until([&] { return !one_.refused.empty(); }));
  EXPECT_EQ(one_.refused.front(), NodeId{8});
  a->send(NodeId{8}, bytes("anybody"));
  a->send(NodeId{7}, bytes("hello"));
  EXPECT_TRUE(until([&] { return !two_.received.empty(); }));
  ASSERT_OK(a->set_peer(NodeId{8}, ""));
  a->send(NodeId{8}, bytes("forgotten"));
}

TEST_P(UdpPortTest, WhatIsNoAddressIsRefused) {
  const auto a = open(one_);
  for (const char* wrong : {"", "1.2.3.4", "1.2.3.4:", "1.2.3.4:70000", "name:1", ":1", "[::1:2"}) {
    const DatagramKey key{};
    EXPECT_ERROR(UdpPort::open(reactor_, wrong, key), Errc::invalid_argument) << wrong;
  }
}

// A peer on several networks, of which we are on one: the addresses of the others may be machines
// of ours, or nobody's.
TEST_P(UdpPortTest, OfSeveralAddressesTheOneThatIsHeardFromIsKept) {
  const auto a = open(one_);
  auto b = open(two_);
  auto gone = open(two_);
  const std::string closed = gone->address();
  gone.reset();
  ASSERT_OK(a->set_peer(NodeId{7}, closed + "," + b->address()));
  ASSERT_OK(b->set_peer(NodeId{3}, a->address()));
  a->send(NodeId{7}, bytes("hello"));
  EXPECT_TRUE(until([&] { return !two_.received.empty(); }));
  a->send(NodeId{7}, bytes("again"));  // Would be told what became of the first.
  EXPECT_TRUE(until([&] { return two_.received.size() == 2; }));
  EXPECT_TRUE(one_.refused.empty()) << "a closed port where it may not be says nothing";
  b->send(NodeId{3}, bytes("here I am"));
  EXPECT_TRUE(until([&] { return !one_.received.empty(); }));
  b.reset();
  a->send(NodeId{7}, bytes("still there?"));
  EXPECT_TRUE(until([&] { return !one_.refused.empty(); }));
  EXPECT_EQ(one_.refused, std::vector<NodeId>{NodeId{7}});
}

TEST(UdpPort, OneThatIsBoundEverywhereSpeaksBothFamilies) {
  reactor::RealClock clock;
  reactor::Reactor reactor(clock);
  const DatagramKey key{};
  Sink one, two;
  auto a = UdpPort::open(reactor, key);
  auto b = UdpPort::open(reactor, key);
  ASSERT_OK(a);
  ASSERT_OK(b);
  (*a)->set_sink(one);
  (*b)->set_sink(two);
  reactor::Reactor* const reactors[] = {&reactor};
  const auto until = [&](const testing::Condition& condition) {
    return testing::turn_until(reactors, condition, std::chrono::seconds(5));
  };
  EXPECT_EQ((*b)->at({}), "");
  const std::string list = (*b)->at({"127.0.0.1", "[::1]"});
  const std::size_t comma = list.find(',');
  ASSERT_OK((*a)->set_peer(NodeId{4}, list.substr(0, comma)));
  ASSERT_OK((*a)->set_peer(NodeId{6}, list.substr(comma + 1)));
  const std::string text = "hello";
  const wire::Bytes hello(reinterpret_cast<const std::byte*>(text.data()), text.size());
  (*a)->send(NodeId{4}, hello);
  (*a)->send(NodeId{6}, hello);
  EXPECT_TRUE(until([&] { return two.received.size() == 2; }));
  b->reset();
  (*a)->send(NodeId{4}, hello);
  EXPECT_TRUE(until([&] { return one.refused.size() == 1; }));
  (*a)->send(NodeId{6}, hello);
  EXPECT_TRUE(until([&] { return one.refused.size() == 2; }));
  EXPECT_EQ(one.refused, (std::vector<NodeId>{NodeId{4}, NodeId{6}}));
}

TEST(UdpPort, ItsKeyIsNotTheClusters) {
  const std::array<std::byte, 32> cluster{std::byte{1}};
  const auto key = datagram_key(cluster);
  ASSERT_OK(key);
  EXPECT_NE(*key, cluster);
  EXPECT_EQ(*datagram_key(cluster), *key);
}

INSTANTIATE_TEST_SUITE_P(Families, UdpPortTest, ::testing::Values("127.0.0.1:0", "[::1]:0"),
                         [](const auto& info) { return info.index == 0 ? "v4" : "v6"; });

}  // namespace
}  // namespace krg::detector

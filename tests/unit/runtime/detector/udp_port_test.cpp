#include "krg/detector/udp_port.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "krg/testing/matchers.h"
#include "krg/testing/seed.h"

namespace krg::detector::testing {
namespace {

using namespace std::chrono_literals;  // NOLINT

fabric::Key key_of(unsigned value) {
  fabric::Key key;
  key.fill(std::byte(value));
  return key;
}

Bytes bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

struct Inbox final : DatagramSink {
  void on_datagram(NodeId from, Bytes bytes) noexcept override {
    letters.emplace_back(from,
                         std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  }
  std::vector<std::pair<NodeId, std::string>> letters;
};

// Two ports on loopback, and a plain socket between them: node 0 takes it for node 1, so it sees
// node 0's datagrams and can send them on to node 1, changed or twice.
class UdpPortTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto any = link::resolve("127.0.0.1");
    ASSERT_OK(any);
    any_ = *any;
    a_ = open(0, key_of(1));
    b_ = open(1, key_of(1));
    b_->deliver_to(&inbox_);
    b_->set_peer(NodeId{0}, Incarnation{5}, a_->address());
    middle_ = UniqueFd(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    ASSERT_EQ(::bind(middle_.get(), any_.get(), any_.size), 0);
    link::Address middle;
    middle.size = sizeof middle.storage;
    ASSERT_EQ(
        ::getsockname(middle_.get(), reinterpret_cast<sockaddr*>(&middle.storage), &middle.size),
        0);
    a_->set_peer(NodeId{1}, Incarnation{5}, middle);
  }

  std::unique_ptr<UdpPort> open(std::uint32_t node, const fabric::Key& key) {
    auto port = UdpPort::open(reactor_, any_, key, NodeId{node}, Incarnation{5});
    EXPECT_OK(port);
    return std::move(*port);
  }
  // What node 0 has put on the wire. Loopback has delivered it when the send returns.
  std::vector<std::byte> caught() {
    std::vector<std::byte> datagram(2000);
    const auto got = ::recv(middle_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT);
    EXPECT_GT(got, 0);
    datagram.resize(std::max<ssize_t>(got, 0));
    return datagram;
  }
  void inject(Bytes datagram) {
    const link::Address to = b_->address();
    EXPECT_EQ(::sendto(middle_.get(), datagram.data(), datagram.size(), 0, to.get(), to.size),
              static_cast<ssize_t>(datagram.size()));
  }
  // So many turns that the descriptors are looked at: a socket holds only so much.
  void look() {
    for (int i = 0; i < 128; ++i) reactor_.turn();
  }
  // Turns until `done` or for two seconds.
  template <class Done>
  bool turn_until(Done done) {
    const TimePoint end = clock_.now() + 2s;
    while (!done() && clock_.now() < end) reactor_.turn();
    return done();
  }
  bool counted(std::uint64_t received, std::uint64_t refused, std::uint64_t repeated) {
    const UdpPort::Counts& c = b_->counts();
    const bool all = turn_until(
        [&] { return c.received + c.refused + c.repeated >= received + refused + repeated; });
    return all && c.received == received && c.refused == refused && c.repeated == repeated;
  }

  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  link::Address any_;
  Inbox inbox_;
  std::unique_ptr<UdpPort> a_, b_;
  UniqueFd middle_;
};

TEST_F(UdpPortTest, DeliversWithTheSendersName) {
  a_->set_peer(NodeId{1}, Incarnation{5}, b_->address());
  a_->send(NodeId{1}, bytes_of("one"));
  a_->send(NodeId{1}, bytes_of("two"));
  a_->send(NodeId{7}, bytes_of("nobody"));
  EXPECT_TRUE(counted(2, 0, 0));
  ASSERT_EQ(inbox_.letters.size(), 2u);
  EXPECT_EQ(inbox_.letters[0], std::pair(NodeId{0}, std::string("one")));
  EXPECT_EQ(a_->counts().sent, 2u);
  EXPECT_EQ(a_->counts().unsent, 1u);
}

TEST_F(UdpPortTest, DropsRepeatedAndVeryOldDatagramsButTakesReorderedOnes) {
  std::vector<std::vector<std::byte>> datagrams;
  for (int i = 0; i < 80; ++i) {
    a_->send(NodeId{1}, bytes_of("x"));
    datagrams.push_back(caught());
  }
  inject(datagrams[70]);
  inject(datagrams[70]);  // Seen.
  inject(datagrams[20]);  // Late, but within the window.
  inject(datagrams[20]);
  inject(datagrams[6]);  // 64 behind.
  inject(datagrams[7]);
  inject(datagrams[79]);
  inject(datagrams[70]);
  inject(datagrams[20]);
  EXPECT_TRUE(counted(4, 0, 5));
}

TEST_F(UdpPortTest, DropsEveryChangedAndEveryShortenedDatagram) {
  a_->send(NodeId{1}, bytes_of("a probe"));
  const auto good = caught();
  std::uint64_t bad = 0;
  for (std::size_t i = 0; i < good.size(); ++i, ++bad) {
    auto changed = good;
    changed[i] ^= std::byte{1};
    inject(changed);
    look();
  }
  for (std::size_t size = 0; size < good.size(); ++size, ++bad) inject(Bytes(good).first(size));
  EXPECT_TRUE(counted(0, bad, 0));
  inject(good);
  EXPECT_TRUE(counted(1, bad, 0));
}

TEST_F(UdpPortTest, DropsNoise) {
  std::mt19937_64 rng(krg::testing::seed());
  for (int i = 0; i < 200; ++i) {
    std::vector<std::byte> noise(rng() % 1500);
    for (std::byte& b : noise) b = std::byte(rng());
    inject(noise);
    look();
  }
  EXPECT_TRUE(counted(0, 200, 0));
}

TEST_F(UdpPortTest, DropsWhatIsForOrFromAnotherLifeOrMadeWithAnotherKey) {
  a_->set_peer(NodeId{1}, Incarnation{6}, b_->address());
  a_->send(NodeId{1}, bytes_of("for a later life"));
  EXPECT_TRUE(counted(0, 1, 0));
  b_->set_peer(NodeId{0}, Incarnation{6}, a_->address());
  b_->set_peer(NodeId{0}, Incarnation{5}, a_->address());  // Ignored: it is the lower.
  const auto c = open(0, key_of(1));
  c->set_peer(NodeId{1}, Incarnation{5}, b_->address());
  c->send(NodeId{1}, bytes_of("from an earlier life"));
  EXPECT_TRUE(counted(0, 2, 0));
  const auto stranger = open(0, key_of(2));
  b_->remove_peer(NodeId{0});
  b_->set_peer(NodeId{0}, Incarnation{5}, stranger->address());
  stranger->set_peer(NodeId{1}, Incarnation{5}, b_->address());
  stranger->send(NodeId{1}, bytes_of("without the key"));
  EXPECT_TRUE(counted(0, 3, 0));
}

}  // namespace
}  // namespace krg::detector::testing

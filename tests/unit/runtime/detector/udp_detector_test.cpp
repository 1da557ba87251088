// The parts together: detectors on one reactor, over real UDP on loopback, in virtual time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <deque>
#include <memory>

#include "krg/detector/ticker.h"
#include "krg/detector/udp_port.h"
#include "krg/testing/matchers.h"
#include "members.h"

namespace krg::detector::testing {
namespace {

using namespace std::chrono_literals;  // NOLINT
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Node {
  Node(reactor::Reactor& reactor, NodeId self, std::unique_ptr<UdpPort> p, const Rings& rings)
      : port(std::move(p)),
        judge({}, events),
        detector({}, self, *port, events),
        ticker(std::make_unique<Ticker>(reactor, detector, *port)) {
    judge.set_view(rings);
  }

  RecordingEvents events;
  std::unique_ptr<UdpPort> port;
  Aggregator judge;
  Detector detector;
  std::unique_ptr<Ticker> ticker;
};

class UdpDetector : public ::testing::Test {
 protected:
  void SetUp() override {
    clock_.advance_to(TimePoint{1s});
    reactor_.turn();
    const auto any = link::resolve("127.0.0.1");
    ASSERT_OK(any);
    for (std::uint32_t n = 0; n < 4; ++n) {
      auto port = UdpPort::open(reactor_, *any, fabric::Key{}, NodeId{n}, Incarnation{1});
      ASSERT_OK(port);
      nodes_.emplace_back(reactor_, NodeId{n}, std::move(*port), rings_);
    }
    for (std::uint32_t n = 0; n < 4; ++n) {
      for (std::uint32_t m = 0; m < 4; ++m) {
        if (m != n) nodes_[n].port->set_peer(NodeId{m}, Incarnation{1}, nodes_[m].port->address());
      }
      nodes_[n].detector.set_view(reactor_.now(), rings_, {NodeId{0}, NodeId{1}}, judge(n));
      nodes_[n].ticker->start();
    }
  }
  Aggregator* judge(std::uint32_t n) { return n < 2 ? &nodes_[n].judge : nullptr; }
  void run_for(Duration d) {
    for (const TimePoint end = clock_.now() + d; clock_.now() < end;) {
      clock_.advance_to(clock_.now() + 1ms);
      // So many that the sockets are looked at.
      for (int i = 0; i < 128; ++i) reactor_.turn();
    }
  }

  reactor::VirtualClock clock_;
  reactor::Reactor reactor_{clock_};
  Rings rings_{view_of(4)};
  std::deque<Node> nodes_;
};

TEST_F(UdpDetector, OneThatFallsSilentIsDeclaredFailedByEveryJudge) {
  run_for(10s);
  for (const Node& node : nodes_) {
    EXPECT_THAT(node.events.accused, IsEmpty());
    EXPECT_GE(node.port->counts().received, 100u);
    EXPECT_EQ(node.port->counts().refused + node.port->counts().repeated, 0u);
    EXPECT_EQ(node.detector.dropped(), 0u);
  }
  nodes_[3].ticker.reset();
  run_for(2s);
  EXPECT_THAT(nodes_[0].events.verdicts, IsEmpty());
  run_for(2s);
  for (const std::uint32_t n : {0u, 1u}) {
    ASSERT_THAT(nodes_[n].events.verdicts, SizeIs(1));
    EXPECT_EQ(nodes_[n].events.verdicts[0].subject, NodeId{3});
    EXPECT_EQ(nodes_[n].events.verdicts[0].reason, Reason::silent);
  }
}

TEST_F(UdpDetector, OneThatTwoFabricsHaveLostIsDeclaredFailedWithoutWaiting) {
  run_for(1s);
  nodes_[3].ticker.reset();
  nodes_[2].detector.on_fabric_error(reactor_.now(), NodeId{3});
  run_for(5ms);
  EXPECT_THAT(nodes_[1].events.checks, SizeIs(1));
  EXPECT_THAT(nodes_[0].events.verdicts, IsEmpty());
  nodes_[1].detector.on_fabric_error(reactor_.now(), NodeId{3});
  run_for(5ms);
  for (const std::uint32_t n : {0u, 1u}) {
    ASSERT_THAT(nodes_[n].events.verdicts, SizeIs(1));
    EXPECT_EQ(nodes_[n].events.verdicts[0].reason, Reason::fabric);
  }
}

}  // namespace
}  // namespace krg::detector::testing

#include "krg/detector/ticker.h"

#include <gtest/gtest.h>

#include "members.h"

namespace krg::detector::testing {
namespace {

using namespace std::chrono_literals;  // NOLINT

TEST(Ticker, ProbesOnceAnIntervalAndHandsOverWhatArrives) {
  reactor::VirtualClock clock;
  clock.advance_to(TimePoint{1s});
  reactor::Reactor reactor(clock);
  RecordingPort port;
  RecordingEvents events;
  const Rings rings(view_of(3));
  Detector detector({}, NodeId{0}, port, events);
  detector.set_view(reactor.now(), rings, {});
  {
    Ticker ticker(reactor, detector, port);
    ticker.start();
    for (int i = 0; i < 10'500; ++i) {
      clock.advance_to(clock.now() + 1ms);
      reactor.turn();
    }
    const auto probes = port.take<Probe>().size() / 2;
    EXPECT_GE(probes, 20u);
    EXPECT_LE(probes, 22u);
    EXPECT_EQ(detector.late_ticks(), 0u);
    EXPECT_EQ(events.accused.size(), 2u);

    ASSERT_NE(port.sink, nullptr);
    port.sink->on_datagram(NodeId{1}, encode(Probe{Incarnation{1}, Incarnation{1}, 5}));
    EXPECT_EQ(port.take<Ack>().size(), 1u);
  }
  EXPECT_EQ(port.sink, nullptr);
  clock.advance_to(clock.now() + 1s);
  reactor.turn();
  EXPECT_TRUE(port.sent.empty());
}

// Goal    a reactor that is held up is noticed as a late tick.
TEST(Ticker, AHeldUpReactorMakesALateTick) {
  reactor::VirtualClock clock;
  clock.advance_to(TimePoint{1s});
  reactor::Reactor reactor(clock);
  RecordingPort port;
  RecordingEvents events;
  const Rings rings(view_of(3));
  Detector detector({}, NodeId{0}, port, events);
  detector.set_view(reactor.now(), rings, {});
  Ticker ticker(reactor, detector, port);
  ticker.start();
  reactor.turn();
  clock.advance_to(clock.now() + 20s);
  reactor.turn();
  EXPECT_EQ(detector.late_ticks(), 1u);
  EXPECT_TRUE(events.accused.empty());
}

}  // namespace
}  // namespace krg::detector::testing

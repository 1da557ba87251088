#include "krg/detector/detector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "members.h"

namespace krg::detector::testing {
namespace {

using namespace std::chrono_literals;  // NOLINT
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// Node 0 of four, whose judge is node 1.
struct Fixture {
  explicit Fixture(const Options& o = {}) : detector(o, NodeId{0}, port, events) {
    detector.set_view(now, rings, {NodeId{1}});
  }
  // One tick on time; the nodes in `alive` answer its probes at once.
  void tick(const std::vector<std::uint32_t>& alive) {
    now = detector.due();
    tick_late(alive);
  }
  void tick_late(const std::vector<std::uint32_t>& alive) {
    port.sent.clear();
    detector.tick(now);
    for (const Sent& s : std::vector<Sent>(port.sent)) {
      const auto* probe = std::get_if<Probe>(&s.message);
      const bool answers = std::find(alive.begin(), alive.end(), s.to.value) != alive.end();
      if (probe != nullptr && answers) detector.on_datagram(now, s.to, encode(Ack{*probe}));
    }
  }
  void tick_for(Duration d, const std::vector<std::uint32_t>& alive) {
    const TimePoint end = now + d;
    while (detector.due() <= end) tick(alive);
  }

  TimePoint now{10s};
  RecordingPort port;
  RecordingEvents events;
  Rings rings{view_of(4)};
  Detector detector;
};

TEST(Detector, OneThatAnswersIsNeverAccusedAndOneThatIsSilentIsAfterItsPatience) {
  Fixture f;
  f.tick_for(10s, {1, 2, 3});
  EXPECT_THAT(f.events.accused, IsEmpty());
  f.tick_for(Options{}.patience - Options{}.interval, {1, 2});
  EXPECT_THAT(f.events.accused, IsEmpty());
  f.tick_for(2 * Options{}.interval, {1, 2});
  EXPECT_THAT(f.events.accused, ElementsAre(Accusation{NodeId{3}, Epoch{1}, Incarnation{1}}));
}

TEST(Detector, AnAccusationIsRepeatedToTheJudgesAndWithdrawnByAnAnswer) {
  Fixture f;
  f.tick_for(5s, {1, 2});
  f.tick({1, 2});
  auto reports = f.port.take<Report>();
  ASSERT_THAT(reports, SizeIs(1));
  EXPECT_EQ(reports[0].first, NodeId{1});
  EXPECT_THAT(reports[0].second.charges,
              ElementsAre(Charge{NodeId{3}, Incarnation{1}, Reason::silent}));
  f.tick({1, 2, 3});
  EXPECT_THAT(f.events.withdrawn, SizeIs(1));
  reports = f.port.take<Report>();
  ASSERT_THAT(reports, SizeIs(2));  // That of the tick, and the withdrawal.
  EXPECT_THAT(reports[1].second.charges, IsEmpty());
  f.tick_for(5s, {1, 2, 3});
  EXPECT_THAT(f.port.take<Report>(), IsEmpty());
}

// Goal    an observer that did not run for longer than its patience accuses nobody, neither in the
//         turn in which it wakes nor before its subjects had their time to answer.
// Method  the same pause with the rule and without it.
TEST(Detector, ALateObserverDiscardsItsAccusations) {
  Options without;
  without.late = 1h;
  for (const bool rule : {true, false}) {
    Fixture f(rule ? Options{} : without);
    f.tick_for(5s, {1, 2, 3});
    f.now = f.detector.due() + 10s;
    f.tick_late({});
    EXPECT_THAT(f.events.accused, SizeIs(rule ? 0 : 3));
    EXPECT_EQ(f.detector.late_ticks(), rule ? 1u : 0u);
    f.tick({1, 2, 3});
    EXPECT_THAT(f.events.accused, SizeIs(rule ? 0 : 3));
  }
}

TEST(Detector, ALateObserverStillAccusesAfterwardsOneThatStaysSilent) {
  Fixture f;
  f.tick_for(5s, {1, 2, 3});
  f.now = f.detector.due() + 10s;
  f.tick_late({1, 2});
  f.tick_for(4s, {1, 2});
  EXPECT_THAT(f.events.accused, SizeIs(1));
}

TEST(Detector, AnswersToOldProbesProveNoMoreThanTheirTime) {
  Fixture f;
  f.tick({1, 2});
  const TimePoint asked = f.now;
  f.tick_for(5s, {1, 2});
  ASSERT_THAT(f.events.accused, SizeIs(1));
  const Probe old{Incarnation{1}, Incarnation{1}, std::uint64_t(asked.since_origin.count())};
  f.detector.on_datagram(f.now, NodeId{3}, encode(Ack{old}));
  EXPECT_THAT(f.events.withdrawn, IsEmpty());
}

TEST(Detector, AnswersFromTheFutureFromOtherLivesAndFromStrangersAreDropped) {
  Fixture f;
  f.tick({});
  const auto stamp = std::uint64_t(f.now.since_origin.count());
  const Ack future{{Incarnation{1}, Incarnation{1}, stamp + 1}};
  const Ack other_observer{{Incarnation{2}, Incarnation{1}, stamp}};
  const Ack other_subject{{Incarnation{1}, Incarnation{2}, stamp}};
  for (const Ack& ack : {future, other_observer, other_subject}) {
    f.detector.on_datagram(f.now, NodeId{3}, encode(ack));
  }
  f.detector.on_datagram(f.now, NodeId{9}, encode(Ack{{Incarnation{1}, Incarnation{1}, stamp}}));
  f.detector.on_datagram(f.now, NodeId{3}, {});
  EXPECT_EQ(f.detector.dropped(), 5u);
}

TEST(Detector, ASubjectAnswersProbesForItsLifeOnly) {
  Fixture f;
  const Probe mine{Incarnation{4}, Incarnation{1}, 77};
  f.detector.on_datagram(f.now, NodeId{2}, encode(mine));
  f.detector.on_datagram(f.now, NodeId{2}, encode(Probe{Incarnation{4}, Incarnation{2}, 78}));
  const auto acks = f.port.take<Ack>();
  ASSERT_THAT(acks, SizeIs(1));
  EXPECT_EQ(acks[0].first, NodeId{2});
  EXPECT_EQ(acks[0].second.probe, mine);
}

TEST(Detector, AFabricErrorAccusesAtOnceTellsTheObserversAndIsClearedByALaterAnswer) {
  Fixture f;
  f.tick({1, 2, 3});
  f.port.sent.clear();
  f.now = f.now + 1ms;
  f.detector.on_fabric_error(f.now, NodeId{3});
  f.detector.on_fabric_error(f.now, NodeId{3});
  EXPECT_THAT(f.events.accused,
              ElementsAre(Accusation{NodeId{3}, Epoch{1}, Incarnation{1}, Reason::fabric}));
  const std::vector<Sent> sent = f.port.sent;
  EXPECT_THAT(f.port.take<Report>(), SizeIs(1));
  EXPECT_EQ(std::count_if(sent.begin(), sent.end(),
                          [](const Sent& s) { return std::holds_alternative<Hint>(s.message); }),
            2);
  f.tick({1, 2, 3});
  EXPECT_THAT(f.events.withdrawn, SizeIs(1));
}

TEST(Detector, AHintAsksForOneCheckAnIntervalAndOnlyOfASubject) {
  Fixture f;
  f.tick({1, 2, 3});
  const auto hint = [](std::uint32_t node, std::uint32_t epoch) {
    return encode(Hint{Epoch{epoch}, {NodeId{node}, Incarnation{1}, Reason::fabric}});
  };
  f.detector.on_datagram(f.now, NodeId{1}, hint(3, 1));
  f.detector.on_datagram(f.now, NodeId{2}, hint(3, 1));
  f.detector.on_datagram(f.now, NodeId{2}, hint(0, 1));
  f.detector.on_datagram(f.now, NodeId{2}, hint(2, 2));
  EXPECT_THAT(f.events.checks, ElementsAre(NodeId{3}));
  EXPECT_THAT(f.events.accused, IsEmpty());
}

TEST(Detector, AViewChangeKeepsWhatIsHeldAgainstThoseThatStayAndForgetsOtherLives) {
  Fixture f;
  f.tick_for(5s, {1});
  EXPECT_THAT(f.events.accused, SizeIs(2));
  cluster::View next = view_of(4, 2);
  next.members[3].incarnation = Incarnation{2};
  const Rings rings(next);
  f.events.accused.clear();
  f.detector.set_view(f.now, rings, {NodeId{1}});
  EXPECT_THAT(f.events.accused, ElementsAre(Accusation{NodeId{2}, Epoch{2}, Incarnation{1}}));
  EXPECT_EQ(f.detector.accused(), 1u);
}

}  // namespace
}  // namespace krg::detector::testing

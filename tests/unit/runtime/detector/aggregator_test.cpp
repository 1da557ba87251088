#include "krg/detector/aggregator.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "members.h"

namespace krg::detector::testing {
namespace {

using namespace std::chrono_literals;  // NOLINT
using ::testing::IsEmpty;
using ::testing::SizeIs;

struct Court {
  explicit Court(std::uint32_t nodes) : rings(view_of(nodes)) { judge.set_view(rings); }
  void report(NodeId from, std::vector<NodeId> subjects, Reason reason = Reason::silent) {
    std::vector<Charge> charges;
    for (const NodeId s : subjects) charges.push_back({s, Incarnation{1}, reason});
    judge.on_report(now, from, {Epoch{1}, Incarnation{1}, ++number, charges});
  }

  TimePoint now{10s};
  std::uint64_t number = 0;
  Rings rings;
  RecordingEvents events;
  Aggregator judge{{}, events};
};

TEST(Aggregator, SixOfTenObserversDeclareOnceAndFiveDoNot) {
  Court court(1'000);
  NodeId subject{0};  // One that is watched by ten.
  while (court.rings.observers(subject).size() < 10) ++subject.value;
  const auto observers = court.rings.observers(subject);
  for (int i = 0; i < 5; ++i) court.report(observers[i], {subject});
  court.report(observers[0], {subject});  // Once more, but not one more.
  EXPECT_THAT(court.events.verdicts, IsEmpty());
  court.report(observers[5], {subject});
  court.report(observers[6], {subject});
  ASSERT_THAT(court.events.verdicts, SizeIs(1));
  EXPECT_EQ(court.events.verdicts[0],
            (Verdict{subject, Epoch{1}, Incarnation{1}, Reason::silent, 6, 10}));
}

TEST(Aggregator, InASmallClusterMoreThanHalfOfTheOthersDecide) {
  Court four(4);
  four.report(NodeId{0}, {NodeId{3}});
  EXPECT_THAT(four.events.verdicts, IsEmpty());
  four.report(NodeId{1}, {NodeId{3}});
  EXPECT_THAT(four.events.verdicts, SizeIs(1));

  Court two(2);
  two.report(NodeId{0}, {NodeId{1}});
  EXPECT_THAT(two.events.verdicts, SizeIs(1));
}

TEST(Aggregator, TwoWitnessesOfTheFabricAreEnoughAndOneIsNot) {
  Court court(1'000);
  const auto observers = court.rings.observers(NodeId{7});
  court.report(observers[0], {NodeId{7}}, Reason::fabric);
  EXPECT_THAT(court.events.verdicts, IsEmpty());
  court.report(observers[1], {NodeId{7}}, Reason::fabric);
  ASSERT_THAT(court.events.verdicts, SizeIs(1));
  EXPECT_EQ(court.events.verdicts[0].reason, Reason::fabric);
}

TEST(Aggregator, WithdrawnAndForgottenReportsDoNotCount) {
  Court court(4);
  court.report(NodeId{0}, {NodeId{3}});
  court.report(NodeId{0}, {});
  court.report(NodeId{1}, {NodeId{3}});
  EXPECT_THAT(court.events.verdicts, IsEmpty());
  court.now = court.now + Options{}.memory + 1ms;
  court.report(NodeId{2}, {NodeId{3}});
  EXPECT_THAT(court.events.verdicts, IsEmpty());
  court.report(NodeId{1}, {NodeId{3}});
  EXPECT_THAT(court.events.verdicts, SizeIs(1));
}

TEST(Aggregator, AFailedObserverIsNotMissed) {
  Court court(4);
  court.report(NodeId{0}, {NodeId{2}, NodeId{3}});
  EXPECT_THAT(court.events.verdicts, IsEmpty());
  court.report(NodeId{1}, {NodeId{2}});  // So of 3's observers only 0 and 1 are left.
  EXPECT_THAT(court.events.verdicts, SizeIs(1));
  court.report(NodeId{1}, {NodeId{2}, NodeId{3}});
  EXPECT_THAT(court.events.verdicts, SizeIs(2));
  // Nor is a failed one heard: 1 is accused by 0 and by the two that have failed.
  court.report(NodeId{2}, {NodeId{0}});
  court.report(NodeId{3}, {NodeId{0}});
  EXPECT_THAT(court.events.verdicts, SizeIs(2));
}

TEST(Aggregator, ReportsOfOtherViewsLivesOrdersAndStrangersAreDropped) {
  Court court(4);
  const Charge charge{NodeId{3}, Incarnation{1}, Reason::fabric};
  court.judge.on_report(court.now, NodeId{0}, {Epoch{2}, Incarnation{1}, 1, {charge}});
  court.judge.on_report(court.now, NodeId{0}, {Epoch{1}, Incarnation{2}, 1, {charge}});
  court.judge.on_report(court.now, NodeId{9}, {Epoch{1}, Incarnation{1}, 1, {charge}});
  EXPECT_EQ(court.judge.dropped(), 3u);
  court.judge.on_report(court.now, NodeId{0}, {Epoch{1}, Incarnation{1}, 5, {}});
  court.judge.on_report(court.now, NodeId{0}, {Epoch{1}, Incarnation{1}, 5, {charge}});
  court.judge.on_report(court.now, NodeId{0}, {Epoch{1}, Incarnation{1}, 4, {charge}});
  EXPECT_EQ(court.judge.dropped(), 5u);
  const Charge other_life{NodeId{3}, Incarnation{2}, Reason::fabric};
  const Charge oneself{NodeId{0}, Incarnation{1}, Reason::fabric};
  court.judge.on_report(court.now, NodeId{0}, {Epoch{1}, Incarnation{1}, 6, {other_life, oneself}});
  EXPECT_EQ(court.judge.dropped(), 7u);
  court.report(NodeId{1}, {NodeId{3}}, Reason::fabric);
  EXPECT_THAT(court.events.verdicts, IsEmpty());
}

}  // namespace
}  // namespace krg::detector::testing

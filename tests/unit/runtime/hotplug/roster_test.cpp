// Goal    the same commands make the same roster, and one that does not fit changes nothing.
#include "krg/hotplug/roster.h"

#include <gtest/gtest.h>

namespace krg::hotplug {
namespace {

cluster::Member member(std::uint32_t node, std::uint32_t incarnation = 1) {
  cluster::Member member;
  member.node = NodeId{node};
  member.incarnation = Incarnation{incarnation};
  return member;
}
Peer peer(std::uint32_t node, std::uint32_t incarnation = 1) {
  return {NodeId{node}, Incarnation{incarnation}};
}
Roster of_two() {
  cluster::View view{Epoch{1}, NodeId{0}, {member(0), member(1)}};
  return Roster::of(view);
}
bool change(Roster& roster, ChangeKind kind, const Peer& who,
            std::vector<cluster::Member> with = {}) {
  Command command;
  command.base = roster.epoch;
  command.changes.push_back({kind, who, std::move(with)});
  return apply(roster, command);
}
cluster::NodeState state(const Roster& roster, std::uint32_t node) {
  return roster.find(NodeId{node})->member.state;
}

TEST(Roster, ANodeGoesThroughAllItsStates) {
  Roster roster = of_two();
  EXPECT_FALSE(change(roster, ChangeKind::present, peer(2), {member(2)}));
  EXPECT_EQ(state(roster, 2), cluster::NodeState::present);
  EXPECT_EQ(roster.epoch, Epoch{1});
  EXPECT_TRUE(change(roster, ChangeKind::join, peer(2)));
  EXPECT_EQ(roster.epoch, Epoch{2});
  EXPECT_TRUE(roster.has_member(peer(2)));
  EXPECT_TRUE(change(roster, ChangeKind::begin_leave, peer(2)));
  EXPECT_TRUE(change(roster, ChangeKind::cancel_leave, peer(2)));
  EXPECT_EQ(roster.find(NodeId{2})->cancelled_leaves, 1u);
  EXPECT_TRUE(change(roster, ChangeKind::begin_leave, peer(2)));
  EXPECT_TRUE(roster.view().contains(NodeId{2}));
  EXPECT_TRUE(change(roster, ChangeKind::leave, peer(2)));
  EXPECT_EQ(state(roster, 2), cluster::NodeState::possible);
  EXPECT_FALSE(roster.view().contains(NodeId{2}));
  EXPECT_EQ(roster.epoch, Epoch{6});
  EXPECT_EQ(roster.version, 7u);
  EXPECT_TRUE(check(roster));
}

TEST(Roster, ALifeThatEndedDoesNotComeBackButALaterOneMay) {
  Roster roster = of_two();
  EXPECT_TRUE(change(roster, ChangeKind::fail, peer(1)));
  change(roster, ChangeKind::present, peer(1), {member(1)});
  EXPECT_EQ(state(roster, 1), cluster::NodeState::failed);
  change(roster, ChangeKind::present, peer(1, 2), {member(1, 2)});
  EXPECT_TRUE(change(roster, ChangeKind::join, peer(1, 2)));
  EXPECT_FALSE(change(roster, ChangeKind::fail, peer(1))) << "of the earlier life";
  EXPECT_TRUE(roster.has_member(peer(1, 2)));
}

TEST(Roster, SaysWhyALifeHasFailedUntilThereIsALaterOne) {
  Roster roster = of_two();
  EXPECT_EQ(roster.find(NodeId{1})->why, cluster::Failure::none);
  Command command;
  command.base = roster.epoch;
  command.changes.push_back({ChangeKind::fail, peer(1), {}, cluster::Failure::silent});
  EXPECT_TRUE(apply(roster, command));
  EXPECT_EQ(roster.find(NodeId{1})->why, cluster::Failure::silent);
  change(roster, ChangeKind::present, peer(1, 2), {member(1, 2)});
  EXPECT_EQ(roster.find(NodeId{1})->why, cluster::Failure::none);
  roster.records[1].why = static_cast<cluster::Failure>(9);
  EXPECT_EQ(check(roster).error(), Errc::protocol_error);
}

TEST(Roster, AMemberIsNotReplacedByOneThatOnlyAsks) {
  Roster roster = of_two();
  change(roster, ChangeKind::present, peer(1, 2), {member(1, 2)});
  EXPECT_TRUE(roster.has_member(peer(1)));
}

TEST(Roster, ACommandForAnotherEpochOnlyCounts) {
  Roster roster = of_two();
  Command command;
  command.base = Epoch{7};
  command.changes.push_back({ChangeKind::fail, peer(1), {}});
  EXPECT_FALSE(apply(roster, command));
  EXPECT_EQ(roster.version, 2u);
  EXPECT_EQ(roster.epoch, Epoch{1});
  EXPECT_TRUE(roster.has_member(peer(1)));
}

TEST(Roster, ACoordinatorThatGoesLeavesNone) {
  Roster roster = of_two();
  EXPECT_TRUE(change(roster, ChangeKind::fail, peer(0)));
  EXPECT_EQ(roster.coordinator, kNoNode);
  EXPECT_TRUE(change(roster, ChangeKind::coordinate, peer(1)));
  EXPECT_EQ(roster.coordinator, NodeId{1});
  EXPECT_FALSE(change(roster, ChangeKind::coordinate, peer(0)));
}

TEST(Roster, WhatComesFromOutsideIsChecked) {
  Roster roster = of_two();
  std::swap(roster.records[0], roster.records[1]);
  EXPECT_FALSE(check(roster));
  roster = of_two();
  roster.coordinator = NodeId{5};
  EXPECT_FALSE(check(roster));
  const auto bytes = wire::encode(of_two());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(wire::decode<Roster>(wire::Bytes(bytes).first(size)));
  }
}

}  // namespace
}  // namespace krg::hotplug

// How far it is to an object: hops from the request to the lease, and messages.
#include <gtest/gtest.h>

#include "net.h"

namespace krg::kddm {
namespace {

using check::Net;

TEST(Hops, WhatIsHereTakesNone) {
  Net net(4);
  net.run(2, Kind::op_grab);
  const unsigned before = net.messages;
  EXPECT_EQ(net.run(2, Kind::op_grab).hops, 0u);
  EXPECT_EQ(net.run(2, Kind::op_get).hops, 0u);
  EXPECT_EQ(net.messages, before);
}

TEST(Hops, TheFirstTouchTakesTwo) {
  Net net(4);
  EXPECT_EQ(net.run(2, Kind::op_get).hops, 2u);
  Net at_home(4);
  EXPECT_EQ(at_home.run(0, Kind::op_get).hops, 0u);
}

TEST(Hops, AGetTakesTwoIfTheHomeHasACopyAndElseThree) {
  Net net(4);
  net.run(2, Kind::op_grab);
  EXPECT_EQ(net.run(3, Kind::op_get).hops, 3u);
  EXPECT_EQ(net.run(0, Kind::op_get).hops, 2u) << "the home itself";
  EXPECT_EQ(net.run(1, Kind::op_get).hops, 2u) << "now the home has it";
}

TEST(Hops, AGrabTakesThreeWhateverTheNumberOfReaders) {
  for (const unsigned readers : {0u, 1u, 3u, 30u}) {
    Net net(40);
    net.run(2, Kind::op_grab);
    for (unsigned i = 0; i < readers; ++i) net.run(4 + i, Kind::op_get);
    EXPECT_EQ(net.run(3, Kind::op_grab).hops, 3u) << readers << " readers";
    EXPECT_TRUE(net.errors.empty());
  }
}

TEST(Hops, AnUpgradeMovesNoDataAndTakesThreeBesideReadersAndTwoAlone) {
  Net net(4);
  net.run(2, Kind::op_get);
  net.run(3, Kind::op_get);
  EXPECT_EQ(net.run(3, Kind::op_grab).hops, 3u);
  EXPECT_EQ(net.part(3).holder.copy, Copy::write);
  EXPECT_EQ(net.part(2).holder.copy, Copy::none);
}

TEST(Hops, TwoCopiesCostNoHopMore) {
  Net net(5, 2);
  net.run(2, Kind::op_grab);
  EXPECT_EQ(net.run(3, Kind::op_grab).hops, 3u);
  EXPECT_EQ(net.part(2).holder.copy, Copy::spare) << "the second copy of what node 3 has";
  EXPECT_EQ(net.run(4, Kind::op_get).hops, 3u);
  EXPECT_EQ(net.part(2).holder.copy, Copy::none) << "two read copies are enough";
}

TEST(Hops, MessagesOfAnOpDoNotGrowWithTheCluster) {
  for (const unsigned nodes : {8u, 64u, 512u, 4096u}) {
    Net net(nodes);
    net.run(nodes - 1, Kind::op_grab);
    const unsigned before = net.messages;
    net.run(nodes / 2, Kind::op_grab);
    EXPECT_EQ(net.messages - before, 5u) << "grab, fetch, data, took, done";
    net.run(nodes - 2, Kind::op_get);
    EXPECT_EQ(net.messages - before, 9u) << "get, fetch, data, done";
  }
}

TEST(Hops, AThousandReadersAreAllInvalidated) {
  Net net(1200);
  net.run(5, Kind::op_grab);
  for (unsigned node = 100; node < 1100; ++node) net.run(node, Kind::op_get);
  EXPECT_EQ(net.part(0).home.copies.size(), 1001u);
  EXPECT_EQ(net.run(50, Kind::op_grab).hops, 3u);
  EXPECT_EQ(net.part(0).home.copies.size(), 1u);
  for (unsigned node = 100; node < 1100; ++node) {
    ASSERT_EQ(net.part(node).holder.copy, Copy::none);
  }
  EXPECT_TRUE(net.errors.empty());
}

}  // namespace
}  // namespace krg::kddm

// Goal    an operation goes on after at most three messages in a row, as docs/design/kddm.md says.
// Method  messages are delivered by the length of the chain that led to them; the one that ends the
//         operation tells its length. A message of a node to itself counts as none.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <vector>

#include "krg/kddm_protocol/home.h"
#include "krg/kddm_protocol/node.h"

namespace krg::kddm_protocol {
namespace {

constexpr NodeId kHome{0}, kWitness{1}, kOwner{2}, kAsker{3};

struct Flying {
  Message message;
  int hops = 0;
};

class Cluster {
 public:
  // Nobody has the object.
  Cluster() = default;
  // `owner` has it, `readers` too.
  Cluster(NodeId owner, NodeBits readers) {
    entry_.state = HomeState::live;
    entry_.owner = owner;
    entry_.copies = readers | NodeBits::of(owner);
    for (std::uint32_t n = 0; n < copies_.size(); ++n) {
      if (entry_.copies.contains(NodeId{n})) copies_[n].state = CopyState::shared;
      copies_[n].witness = NodeId{n} == kHome || NodeId{n} == kWitness;
    }
  }

  // How many messages in a row `node` waits for until `op` has ended; -1: it never ends.
  int hops(NodeId node, LocalOp op) {
    Outbox out;
    int ended = -1;
    if (node_op(copies_[node.value], place(node), op, out).finished != Request::none) ended = 0;
    send(out, 0);
    while (!flying_.empty()) {
      const auto next =
          std::min_element(flying_.begin(), flying_.end(),
                           [](const Flying& a, const Flying& b) { return a.hops < b.hops; });
      const Flying now = *next;
      flying_.erase(next);
      const Message& m = now.message;
      out.clear();
      Copy& copy = copies_[m.to.value];
      const Step step = m.type <= MessageType::settled ? home_step(entry_, place(m.to), m, out)
                                                       : node_step(copy, place(m.to), m, out);
      EXPECT_EQ(step.verdict, Verdict::taken) << step.error.message();
      if (m.to == node && step.finished != Request::none) ended = now.hops;
      send(out, now.hops);
    }
    EXPECT_NE(entry_.state, HomeState::busy);
    return ended;
  }

 private:
  static Place place(NodeId self) {
    Place place;
    place.epoch = Epoch{1};
    place.members = NodeBits::first(4);
    place.self = self;
    place.home = kHome;
    place.witness = kWitness;
    return place;
  }
  void send(const Outbox& out, int hops) {
    for (const Message& m : out) flying_.push_back({m, hops + (m.from != m.to)});
  }

  Entry entry_;
  std::array<Copy, 4> copies_;
  std::vector<Flying> flying_;
};

TEST(KddmProtocolHops, BytesArriveAfterThree) {
  EXPECT_EQ(Cluster(kOwner, {}).hops(kAsker, LocalOp::get), 3);
  EXPECT_EQ(Cluster(kHome, {}).hops(kAsker, LocalOp::get), 2);
  EXPECT_EQ(Cluster(kOwner, {}).hops(kHome, LocalOp::get), 2);
  EXPECT_EQ(Cluster(kOwner, {}).hops(kAsker, LocalOp::grab), 3);
  EXPECT_EQ(Cluster(kOwner, NodeBits::of(kWitness)).hops(kAsker, LocalOp::grab), 3);
}

TEST(KddmProtocolHops, AnUpgradeAndARemoveTakeThree) {
  EXPECT_EQ(Cluster(kOwner, NodeBits::of(kAsker)).hops(kAsker, LocalOp::grab), 3);
  EXPECT_EQ(Cluster(kOwner, NodeBits::of(kAsker)).hops(kAsker, LocalOp::remove), 3);
}

TEST(KddmProtocolHops, AFirstTouchTakesFourIfTheWitnessIsElsewhere) {
  EXPECT_EQ(Cluster().hops(kAsker, LocalOp::get), 4);
  EXPECT_EQ(Cluster().hops(kWitness, LocalOp::grab), 4);
  EXPECT_EQ(Cluster().hops(kHome, LocalOp::grab), 2);
}

TEST(KddmProtocolHops, AFlushTakesTwoOfAReaderAndFourOfTheOwner) {
  EXPECT_EQ(Cluster(kOwner, NodeBits::of(kAsker)).hops(kAsker, LocalOp::flush), 2);
  EXPECT_EQ(Cluster(kOwner, {}).hops(kOwner, LocalOp::flush), 4);
  EXPECT_EQ(Cluster(kOwner, NodeBits::of(kAsker)).hops(kOwner, LocalOp::flush), 4);
}

TEST(KddmProtocolHops, ACopyInPlaceTakesNone) {
  EXPECT_EQ(Cluster(kOwner, NodeBits::of(kAsker)).hops(kAsker, LocalOp::get), 0);
}

}  // namespace
}  // namespace krg::kddm_protocol

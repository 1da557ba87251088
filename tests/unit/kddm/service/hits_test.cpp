// The short way of leases against the protocol.
//
// Goal    a hit does to a holder what step() would have done, and is given only where step() gives
//         a lease.
// Method  every state of a holder that matters, both kinds of lease, their beginnings and ends.
#include "hits.h"

#include <gtest/gtest.h>

#include "krg/protocol/step.h"

namespace krg::kddm {
namespace {

class Hits : public ::testing::Test {
 protected:
  // Calls visit(Holder) for each state of a holder.
  template <class Visit>
  static void for_each_state(Visit&& visit) {
    for (const Copy copy : {Copy::none, Copy::filling, Copy::spare, Copy::read, Copy::write}) {
      for (const std::uint32_t readers : {0u, 1u, 2u}) {
        for (unsigned bits = 0; bits < 8; ++bits) {
          Holder holder;
          holder.version = 7;
          holder.copy = copy;
          holder.readers = readers;
          holder.writer = (bits & 1) != 0;
          holder.contended = (bits & 2) != 0;
          if ((bits & 4) != 0) holder.asks = Asks::grab;
          visit(holder);
        }
      }
    }
  }
  // What step() makes of it at a node that is neither home nor heir.
  Part after(const Holder& holder, Kind kind) {
    const Place place{.epoch = Epoch{1},
                      .self = NodeId{0},
                      .home = NodeId{1},
                      .heir = NodeId{2},
                      .members = &members_};
    Part part = blank_part(place);
    part.holder = holder;
    actions_.clear();
    outcome_ =
        step(place, part, {.kind = kind, .from = NodeId{0}, .epoch = Epoch{1}, .op = 1}, actions_)
            .outcome;
    return part;
  }
  bool leased() const {
    return actions_.size() == 1 && actions_[0].what == Action::Do::lease &&
           actions_[0].message.op == 1;
  }

  const cluster::NodeSet members_ = cluster::NodeSet::first(4);
  Actions actions_;
  Outcome outcome_ = Outcome::done;
};

TEST_F(Hits, BeginWhereTheProtocolGivesALeaseAtOnce) {
  unsigned given = 0;
  for_each_state([&](const Holder& before) {
    for (const bool write : {false, true}) {
      Holder holder = before;
      const bool hit = begin_hit(holder, write);
      const Part part = after(before, write ? Kind::op_grab : Kind::op_get);
      EXPECT_EQ(hit, leased());
      EXPECT_EQ(holder, hit ? part.holder : before);
      given += hit ? 1 : 0;
    }
  });
  EXPECT_GT(given, 0u);
}

TEST_F(Hits, EndAsTheProtocolEndsThem) {
  unsigned ended = 0;
  for_each_state([&](const Holder& before) {
    for (const bool write : {false, true}) {
      Holder holder = before;
      const bool hit = end_hit(holder, write);
      const Part part = after(before, write ? Kind::op_put_write : Kind::op_put_read);
      if (outcome_ == Outcome::impossible) {
        EXPECT_FALSE(hit);
        continue;
      }
      ASSERT_TRUE(hit);
      EXPECT_EQ(holder, part.holder);
      EXPECT_TRUE(actions_.empty());
      ++ended;
    }
  });
  EXPECT_GT(ended, 0u);
}

}  // namespace
}  // namespace krg::kddm

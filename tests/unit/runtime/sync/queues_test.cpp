// Goal    a wake-up after a ticket was taken is never missed, whoever else waits, and wakes whom it
//         should, in order.
#include "queues.h"

#include <gtest/gtest.h>

#include <deque>
#include <random>
#include <set>

namespace krg::sync {
namespace {

constexpr Key kKey{kddm::SetId{2000}, kddm::ObjectId{3}, 0};
constexpr Key kOther{kddm::SetId{2000}, kddm::ObjectId{3}, 1};

Waiter waiter(std::uint32_t node, std::uint64_t id, std::uint32_t bits = kAnyBit) {
  return {NodeId{node}, id, bits};
}
std::vector<std::uint64_t> ids(const std::vector<Waiter>& waiters) {
  std::vector<std::uint64_t> out;
  for (const Waiter& w : waiters) out.push_back(w.id);
  return out;
}
using Ids = std::vector<std::uint64_t>;

class QueuesTest : public testing::Test {
 protected:
  QueuesTest() { queues_.begin(Epoch{7}); }
  bool enter(std::uint64_t id, std::uint32_t bits = kAnyBit) {
    return queues_.enter(kKey, queues_.prepare(), waiter(0, id, bits));
  }
  Queues queues_;
};

TEST_F(QueuesTest, AWakeUpBetweenTicketAndWaitLetsItPass) {
  const Ticket ticket = queues_.prepare();
  EXPECT_TRUE(queues_.wake(kKey, 1, kAnyBit).empty());
  EXPECT_FALSE(queues_.enter(kKey, ticket, waiter(0, 1)));
  EXPECT_EQ(queues_.keys(), 0u) << "nothing is kept of who passed";
  EXPECT_TRUE(queues_.enter(kKey, queues_.prepare(), waiter(0, 1)));
}

TEST_F(QueuesTest, AWakeUpOfAnotherKeyDoesNot) {
  const Ticket ticket = queues_.prepare();
  queues_.wake(kOther, kAll, kAnyBit);
  EXPECT_TRUE(queues_.enter(kKey, ticket, waiter(0, 1)));
  EXPECT_TRUE(queues_.wake(kOther, kAll, kAnyBit).empty());
  EXPECT_EQ(queues_.waiters(kKey), 1u);
}

TEST_F(QueuesTest, TheFirstToComeAreWokenFirst) {
  for (std::uint64_t id = 1; id <= 5; ++id) EXPECT_TRUE(enter(id));
  EXPECT_EQ(ids(queues_.wake(kKey, 2, kAnyBit)), (Ids{1, 2}));
  EXPECT_EQ(ids(queues_.wake(kKey, 0, kAnyBit)), Ids{});
  EXPECT_EQ(ids(queues_.wake(kKey, kAll, kAnyBit)), (Ids{3, 4, 5}));
  EXPECT_EQ(queues_.keys(), 0u);
}

TEST_F(QueuesTest, OnlyWhoSharesABitIsWoken) {
  enter(1, 0b01);
  enter(2, 0b10);
  enter(3, 0b11);
  enter(4, 0b10);
  EXPECT_EQ(ids(queues_.wake(kKey, 2, 0b10)), (Ids{2, 3}));
  EXPECT_EQ(ids(queues_.wake(kKey, kAll, kAnyBit)), (Ids{1, 4}));
}

TEST_F(QueuesTest, WhoLeavesIsNotWoken) {
  enter(1);
  enter(2);
  queues_.leave(kKey, NodeId{1}, 1);  // Another node's.
  queues_.leave(kOther, NodeId{0}, 1);
  EXPECT_EQ(queues_.waiters(kKey), 2u);
  queues_.leave(kKey, NodeId{0}, 1);
  EXPECT_EQ(ids(queues_.wake(kKey, kAll, kAnyBit)), Ids{2});
  queues_.leave(kKey, NodeId{0}, 2);
}

TEST_F(QueuesTest, ANewViewEmptiesTheQueuesAndOldTicketsPass) {
  const Ticket ticket = queues_.prepare();
  enter(1);
  queues_.wake(kOther, 1, kAnyBit);
  queues_.begin(Epoch{8});
  EXPECT_EQ(queues_.keys(), 0u);
  EXPECT_FALSE(queues_.enter(kKey, ticket, waiter(0, 2)));
  EXPECT_FALSE(queues_.enter(kKey, {Epoch{9}, 0}, waiter(0, 2)));
  EXPECT_TRUE(queues_.enter(kOther, queues_.prepare(), waiter(0, 2)));
}

TEST_F(QueuesTest, OthersInPlaceOfThoseWhoDidNotTakeIt) {
  enter(1);
  EXPECT_EQ(ids(queues_.wake(kKey, 1, kAnyBit)), Ids{1});
  enter(2);
  EXPECT_EQ(ids(queues_.wake_others(kKey, 1, kAnyBit)), Ids{2});
}

// Against a model that keeps every wake-up. Passing without a reason is allowed, so that is
// counted.
TEST_F(QueuesTest, RandomStepsMissNoWakeUp) {
  std::mt19937_64 random(1);
  constexpr std::uint64_t kKeys = 50;
  struct Model {
    std::uint64_t woken_at = 0;
    std::deque<Waiter> queue;
  };
  std::vector<Model> model(kKeys);
  std::vector<std::pair<Ticket, std::uint64_t>> tickets;  // And the model's instant.
  std::uint64_t now = 0, id = 0, in_vain = 0, entered = 0;
  for (int i = 0; i < 200'000; ++i) {
    const std::uint64_t k = random() % kKeys;
    const Key key{kddm::SetId{2000 + k % 3}, kddm::ObjectId{k}, static_cast<std::uint32_t>(k % 2)};
    const std::uint32_t bits = 1u << random() % 2 | 1u << random() % 2;
    switch (random() % 4) {
      case 0:
        tickets.emplace_back(queues_.prepare(), now);
        break;
      case 1: {
        if (tickets.empty()) break;
        const auto [ticket, at] = tickets[random() % tickets.size()];
        const Waiter w = waiter(random() % 3, ++id, bits);
        const bool in = queues_.enter(key, ticket, w);
        if (in) model[k].queue.push_back(w);
        if (in) {
          ++entered;
          ASSERT_LE(model[k].woken_at, at) << "a wake-up after the ticket was missed";
        } else if (model[k].woken_at <= at) {
          ++in_vain;
        }
        break;
      }
      case 2: {
        const std::uint32_t count = random() % 8 == 0 ? kAll : random() % 3;
        Ids expected;
        model[k].woken_at = ++now;
        std::erase_if(model[k].queue, [&](const Waiter& w) {
          if (expected.size() >= count || (w.bits & bits) == 0) return false;
          expected.push_back(w.id);
          return true;
        });
        ASSERT_EQ(ids(queues_.wake(key, count, bits)), expected);
        break;
      }
      default:
        if (model[k].queue.empty()) break;
        const Waiter w = model[k].queue[random() % model[k].queue.size()];
        queues_.leave(key, w.node, w.id);
        std::erase_if(model[k].queue, [&](const Waiter& other) { return other.id == w.id; });
    }
    if (tickets.size() > 100) tickets.erase(tickets.begin());
    ASSERT_EQ(queues_.waiters(key), model[k].queue.size());
  }
  EXPECT_GT(entered, 1000u);
  EXPECT_LT(in_vain, entered / 10) << "keys share places more often than they should";
}

}  // namespace
}  // namespace krg::sync

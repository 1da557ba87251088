#include "krg/reactor/mailbox.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

#include "krg/reactor/reactor.h"

// Letters from other threads. Also run under ThreadSanitizer (preset tsan).
namespace krg::reactor {
namespace {

constexpr int kThreads = 4;
constexpr int kLetters = 5000;

class MailboxTest : public ::testing::TestWithParam<Reactor::Waiting> {};

// Goal    every letter is opened once, in the order of its sender, and no wake-up is missed.
// Method  threads post while the reactor runs and sleeps; the last letter stops it. A missed
//         wake-up hangs the test.
TEST_P(MailboxTest, LettersOfManyThreadsAreAllOpenedInOrder) {
  const RealClock clock;
  Reactor reactor(clock, GetParam());
  std::vector<int> next(kThreads);
  int opened = 0, out_of_order = 0;
  std::vector<std::jthread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < kLetters; ++i) {
        reactor.mailbox().post([&, t, i] {
          out_of_order += next[static_cast<std::size_t>(t)]++ == i ? 0 : 1;
          if (++opened == kThreads * kLetters) reactor.stop();
        });
        if (i % 64 == 0) std::this_thread::yield();
      }
    });
  }
  reactor.run();
  EXPECT_EQ(opened, kThreads * kLetters);
  EXPECT_EQ(out_of_order, 0);
}

// Goal    a letter to a reactor that sleeps wakes it.
// Method  one letter at a time, each answered before the next is posted.
TEST_P(MailboxTest, OneLetterAtATimeWakesASleepingReactor) {
  const RealClock clock;
  Reactor reactor(clock, GetParam());
  std::atomic<int> answered{0};
  std::jthread poster([&] {
    for (int i = 0; i < 500; ++i) {
      reactor.mailbox().post([&] {
        answered.fetch_add(1);
        answered.notify_one();
      });
      answered.wait(i);
    }
    reactor.stop();
  });
  reactor.run();
  EXPECT_EQ(answered.load(), 500);
}

INSTANTIATE_TEST_SUITE_P(Waiting, MailboxTest,
                         ::testing::Values(Reactor::Waiting::adaptive, Reactor::Waiting::block,
                                           Reactor::Waiting::yield),
                         [](const auto& info) {
                           switch (info.param) {
                             case Reactor::Waiting::adaptive:
                               return "adaptive";
                             case Reactor::Waiting::block:
                               return "block";
                             default:
                               return "yield";
                           }
                         });

TEST(Mailbox, LettersMayPostLetters) {
  VirtualClock clock;
  Reactor reactor(clock);
  std::vector<int> order;
  reactor.mailbox().post([&] {
    order.push_back(1);
    reactor.mailbox().post([&] { order.push_back(2); });
  });
  EXPECT_TRUE(reactor.turn());
  EXPECT_TRUE(reactor.turn());
  EXPECT_FALSE(reactor.turn());
  EXPECT_EQ(order, (std::vector<int>{1, 2}));
}

}  // namespace
}  // namespace krg::reactor

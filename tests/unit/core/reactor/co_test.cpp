#include "krg/reactor/co.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "krg/reactor/event.h"
#include "krg/testing/drive.h"
#include "krg/testing/sanitized.h"

// Coroutines: values, long chains, and destruction as cancellation.
namespace krg::reactor {
namespace {

using namespace std::chrono_literals;

// Symmetric transfer is a tail call, which compilers make only when they optimise.
#ifdef __OPTIMIZE__
constexpr int kMany = krg::testing::kSanitized ? 5'000 : 1'000'000;
#else
constexpr int kMany = 5'000;
#endif

class CoTest : public ::testing::Test {
 protected:
  void turn() {
    while (reactor_.turn()) {
    }
  }

  VirtualClock clock_;
  Reactor reactor_{clock_};
};

Co<int> give(int n) { co_return n; }
Co<std::unique_ptr<int>> give_owned(int n) { co_return std::make_unique<int>(n); }
Co<Result<int>> fail() { co_return Error(Errc::not_found); }
Co<Result<int>> pass_on_failure() {
  KRG_CO_TRY_ASSIGN(const int n, co_await fail());
  co_return n + 1;
}

TEST_F(CoTest, ValuesComeBack) {
  int sum = 0;
  reactor_.spawn([](int& out) -> Co<void> {
    out += co_await give(20);
    out += *co_await give_owned(22);
  }(sum));
  EXPECT_EQ(sum, 0) << "the body began before a turn";
  turn();
  EXPECT_EQ(sum, 42);
}

TEST_F(CoTest, ErrorsPassThroughTry) {
  Result<int> result = 0;
  reactor_.spawn([](Result<int>& out) -> Co<void> { out = co_await pass_on_failure(); }(result));
  turn();
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().code(), Errc::not_found);
}

TEST_F(CoTest, ManyAwaitsInARowUseNoStack) {
  long sum = 0;
  reactor_.spawn([](long& out) -> Co<void> {
    for (int i = 0; i < kMany; ++i) out += co_await give(1);
  }(sum));
  turn();
  EXPECT_EQ(sum, kMany);
}

Co<int> descend(int depth) {
  if (depth == 0) co_return 0;
  co_return 1 + co_await descend(depth - 1);
}

TEST_F(CoTest, AwaitsNestedDeeplyUseNoStack) {
  int depth = 0;
  reactor_.spawn([](int& out) -> Co<void> { out = co_await descend(kMany); }(depth));
  turn();
  EXPECT_EQ(depth, kMany);
}

struct Guard {
  explicit Guard(int& n) : count(n) { ++count; }
  Guard(const Guard&) = delete;
  Guard& operator=(const Guard&) = delete;
  ~Guard() { --count; }
  int& count;
};

Co<void> wait_below(Event& event, int& alive, int depth) {
  const Guard guard(alive);
  if (depth > 0) {
    co_await wait_below(event, alive, depth - 1);
  } else {
    (void)co_await event.wait(Deadline::never());
  }
}

TEST_F(CoTest, DestroyingTheReactorDestroysWhatWaits) {
  int alive = 0;
  {
    Reactor reactor(clock_);
    Event event(reactor);
    for (int i = 0; i < 10; ++i) reactor.spawn(wait_below(event, alive, 5));
    while (reactor.turn()) {
    }
    EXPECT_EQ(alive, 60);
    reactor.cancel_all();
    EXPECT_EQ(alive, 0);
  }
  EXPECT_EQ(alive, 0);
}

TEST_F(CoTest, ACoroutineThatNeverRanIsDestroyedToo) {
  const auto watched = std::make_shared<int>(1);
  {
    const Co<void> unused = [](std::shared_ptr<int>) -> Co<void> { co_return; }(watched);
  }
  EXPECT_EQ(watched.use_count(), 1);
  {
    Reactor reactor(clock_);
    reactor.spawn([](std::shared_ptr<int>) -> Co<void> { co_return; }(watched));
    EXPECT_EQ(watched.use_count(), 2);
  }
  EXPECT_EQ(watched.use_count(), 1);
}

TEST_F(CoTest, DestroyingACoTakesItOutOfEveryQueue) {
  int alive = 0;
  Event event(reactor_);
  // The inner coroutine waits on an event and a timer; the outer drops it half way.
  struct Starter {
    struct promise_type {
      Starter get_return_object() { return {}; }
      std::suspend_never initial_suspend() noexcept { return {}; }
      std::suspend_never final_suspend() noexcept { return {}; }
      void return_void() {}
      void unhandled_exception() { std::terminate(); }
    };
  };
  {
    Co<void> inner = wait_below(event, alive, 0);
    std::move(inner).operator co_await().await_suspend(std::noop_coroutine()).resume();
    EXPECT_EQ(alive, 1);
    event.set();  // Now it is in the reactor's queue; destroying it takes it out.
  }
  EXPECT_EQ(alive, 0);
  turn();
}

TEST_F(CoTest, MovedFromIsEmpty) {
  Co<int> one = give(1);
  Co<int> two = std::move(one);
  EXPECT_FALSE(one);  // NOLINT: that is what is tested.
  EXPECT_TRUE(two);
  two = Co<int>();
  EXPECT_FALSE(two);
}

TEST_F(CoTest, SpawnedFromASpawnedOneRunsInTheSameTurn) {
  int order = 0, first = 0, second = 0;
  struct State {
    Reactor& reactor;
    int &order, &first, &second;
  } state{reactor_, order, first, second};
  reactor_.spawn([](State& s) -> Co<void> {
    s.first = ++s.order;
    s.reactor.spawn([](State& t) -> Co<void> {
      t.second = ++t.order;
      co_return;
    }(s));
    co_return;
  }(state));
  reactor_.turn();
  EXPECT_EQ(first, 1);
  EXPECT_EQ(second, 2);
}

}  // namespace
}  // namespace krg::reactor

// Two nodes over the simulated fabric: what overtakes what, and what a dropped call leaves behind.
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

#include "krg/reactor/event.h"
#include "krg/rpc/rpc.h"
#include "krg/sim/world.h"
#include "krg/testing/seed.h"
#include "rpc_end.h"

namespace krg::cluster_test {
namespace {

using namespace std::chrono_literals;
using rpc::Incoming;

constexpr NodeId kClient{0}, kServer{1};
constexpr std::size_t kMany = 3000;  // More than may be under way to one peer.
constexpr std::uint64_t kSeeds = 50;
constexpr std::size_t kBulkBytes = std::size_t{1} << 20;
constexpr std::size_t kBulkMax = 4 * kBulkBytes;

struct Number {
  std::uint64_t n = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.n); }
};
template <std::uint16_t kNumber>
struct NumberService {
  static constexpr ServiceId kId{kNumber};
  static constexpr const char* kName = "test.number";
  using Request = Number;
  using Reply = Number;
};
using Quick = NumberService<0x210>;
using Held = NumberService<0x211>;
using Data = NumberService<0x212>;

class Pair {
 public:
  // Without packets that are late by chance: they would delay what follows on their connection.
  explicit Pair(std::uint64_t seed)
      : world_({.seed = seed, .nodes = 2, .latency = {.tail_per_mille = 0}}) {
    for (std::uint32_t i = 0; i < 2; ++i) {
      nodes_[i].emplace(
          world_, rpc::RpcOptions{.self = {NodeId{i}, Incarnation{1}}, .bulk_bytes_max = kBulkMax});
    }
  }
  ~Pair() {
    for (std::uint32_t i = 0; i < 2; ++i) {
      world_.kill(NodeId{i});
      nodes_[i].reset();
    }
  }

  sim::World& world() { return world_; }
  rpc::Rpc& client() { return nodes_[0]->rpc(); }
  rpc::Rpc& server() { return nodes_[1]->rpc(); }
  // One call of the client's, whose end is noted in `ends` by its number.
  template <class S>
  void call(std::uint64_t n, rpc::Priority priority, std::vector<std::uint64_t>& ends) {
    world_.reactor(kClient).spawn(make_call<S>(client(), n, priority, ends));
  }

 private:
  template <class S>
  static Co<void> make_call(rpc::Rpc& rpc, std::uint64_t n, rpc::Priority priority,
                            std::vector<std::uint64_t>& ends) {
    const Number request{n};
    const auto reply = co_await rpc.call<S>(
        kServer, request, {.deadline = rpc.reactor().after(60s), .priority = priority});
    EXPECT_TRUE(reply);
    ends.push_back(n);
  }

  sim::World world_;
  std::optional<RpcEnd> nodes_[2];
};

void each_seed(void (*test)(Pair&)) {
  const std::uint64_t count = testing::seed_given() ? 1 : kSeeds;
  for (std::uint64_t i = 0; i < count; ++i) {
    const testing::ScopedSeed scoped(testing::seed() + i);
    Pair pair(testing::seed());
    test(pair);
    if (::testing::Test::HasFailure()) return;
  }
}

Result<Number> echo(Incoming&, Number& n) { return n; }

// Goal    control calls go through when normal ones have used up all that may be under way.
// Method  a service that answers nobody is called thousands of times; then one control call.
TEST(RpcPair, AControlCallOvertakesNormalOnesThatWait) {
  each_seed([](Pair& pair) {
    std::vector<std::uint64_t> ends;
    pair.server().serve<Held>(echo, false);
    pair.server().serve<Quick>(echo);
    for (std::uint64_t i = 1; i <= kMany; ++i) pair.call<Held>(i, rpc::Priority::normal, ends);
    // Of the same service as the control call, but behind all the others.
    pair.call<Quick>(kMany + 1, rpc::Priority::normal, ends);
    pair.world().run_for(100ms);
    pair.call<Quick>(0, rpc::Priority::control, ends);
    EXPECT_TRUE(pair.world().run_until([&] { return !ends.empty(); }, 10s));
    EXPECT_EQ(ends, std::vector<std::uint64_t>{0});
    EXPECT_EQ(pair.client().pending_calls(), kMany + 1);

    pair.server().enable(Held::kId);
    pair.world().wake(kServer);
    EXPECT_TRUE(pair.world().run_until([&] { return ends.size() == kMany + 2; }, 10s));
    EXPECT_EQ(pair.client().pending_calls(), 0u);
  });
}

// Goal    of what one turn sends, the control calls are executed first.
TEST(RpcPair, AControlCallOvertakesNormalOnesOfItsTurn) {
  each_seed([](Pair& pair) {
    std::vector<std::uint64_t> ends, executed;
    pair.server().serve<Quick>([&executed](Incoming&, Number& n) -> Result<Number> {
      executed.push_back(n.n);
      return n;
    });
    pair.call<Quick>(1, rpc::Priority::normal, ends);  // Makes the connection.
    EXPECT_TRUE(pair.world().run_until([&] { return ends.size() == 1; }, 10s));
    for (std::uint64_t i = 2; i <= 9; ++i) pair.call<Quick>(i, rpc::Priority::normal, ends);
    pair.call<Quick>(10, rpc::Priority::control, ends);
    EXPECT_TRUE(pair.world().run_until([&] { return ends.size() == 10; }, 10s));
    EXPECT_EQ(executed, (std::vector<std::uint64_t>{1, 10, 2, 3, 4, 5, 6, 7, 8, 9}));
  });
}

Co<void> send_data(rpc::Rpc& rpc, std::uint64_t n, std::vector<std::uint64_t>& ends) {
  const Number request{n};
  rpc::Bulk bulk(rpc.buffers().take(kBulkBytes));
  const auto reply = co_await rpc.call_data<Data>(
      kServer, request, {.deadline = rpc.reactor().after(60s)}, std::move(bulk));
  EXPECT_TRUE(reply);
  ends.push_back(n);
}

// Goal    bulk data that may not be on its way yet do not hold up a control call.
TEST(RpcPair, AControlCallOvertakesBulkData) {
  each_seed([](Pair& pair) {
    constexpr std::uint64_t kTransfers = 64;
    std::vector<std::uint64_t> ends;
    pair.server().serve<Data>(echo);
    pair.server().serve<Quick>(echo);
    reactor::Reactor& reactor = pair.world().reactor(kClient);
    for (std::uint64_t i = 1; i <= kTransfers; ++i) {
      reactor.spawn(send_data(pair.client(), i, ends));
    }
    EXPECT_TRUE(pair.world().run_until([&] { return !ends.empty(); }, 10s));
    pair.call<Quick>(0, rpc::Priority::control, ends);
    EXPECT_TRUE(pair.world().run_until([&] { return ends.size() == kTransfers + 1; }, 10s));
    // At most the few that were on the wire already are faster.
    const auto at = std::find(ends.begin(), ends.end(), 0u) - ends.begin();
    EXPECT_LT(static_cast<std::uint64_t>(at), kTransfers / 2);
  });
}

struct Handled {
  int begun = 0, ended = 0, cancelled = 0;
};

// Goal    who drops a call cancels it where it runs, and where it waits to run.
// Method  four calls of one key: one runs, three stand in line; the client drops all.
TEST(RpcPair, DroppingACallCancelsItsHandler) {
  each_seed([](Pair& pair) {
    Handled handled;
    std::vector<std::uint64_t> ends;
    reactor::Reactor& server = pair.world().reactor(kServer);
    pair.server().serve<Held>([&](Incoming& in, Number n) -> Co<Result<Number>> {
      ++handled.begun;
      for (int i = 0; i < 100 && !in.cancelled(); ++i) {
        co_await reactor::sleep_for(server, 100ms);
      }
      handled.cancelled += in.cancelled() ? 1 : 0;
      ++handled.ended;
      co_return n;
    });
    reactor::Reactor& client = pair.world().reactor(kClient);
    for (std::uint64_t i = 1; i <= 4; ++i) {
      client.spawn(
          [](rpc::Rpc& rpc, std::uint64_t n, std::vector<std::uint64_t>& done) -> Co<void> {
            const Number request{n};
            (void)co_await rpc.call<Held>(kServer, request,
                                          {.deadline = rpc.reactor().after(60s), .key = 7});
            done.push_back(n);
          }(pair.client(), i, ends));
    }
    EXPECT_TRUE(pair.world().run_until([&] { return handled.begun == 1; }, 10s));
    pair.world().run_for(50ms);
    EXPECT_EQ(pair.client().pending_calls(), 4u);
    pair.world().reactor(kClient).cancel_all();  // Destroys the callers, and with them the calls.
    EXPECT_EQ(pair.client().pending_calls(), 0u);
    pair.world().run_for(1s);
    EXPECT_EQ(handled.begun, 1);
    EXPECT_EQ(handled.ended, 1);
    EXPECT_EQ(handled.cancelled, 1);
    EXPECT_EQ(pair.server().active_handlers(), 0u);
    EXPECT_TRUE(ends.empty());

    // Nothing of them is in the way of the next.
    pair.server().serve<Quick>(echo);
    pair.call<Quick>(9, rpc::Priority::normal, ends);
    EXPECT_TRUE(pair.world().run_until([&] { return !ends.empty(); }, 10s));
  });
}

// Goal    a call that is dropped while its service is disabled is never executed.
TEST(RpcPair, ADroppedCallOfADisabledServiceNeverRuns) {
  each_seed([](Pair& pair) {
    std::vector<std::uint64_t> ends, executed;
    pair.server().serve<Held>([&executed](Incoming&, Number& n) -> Result<Number> {
      executed.push_back(n.n);
      return n;
    });
    pair.server().disable(Held::kId);
    for (std::uint64_t i = 1; i <= 5; ++i) pair.call<Held>(i, rpc::Priority::normal, ends);
    pair.world().run_for(500ms);
    EXPECT_TRUE(executed.empty());
    pair.world().reactor(kClient).cancel_all();
    pair.world().run_for(500ms);
    pair.server().enable(Held::kId);
    pair.world().wake(kServer);
    pair.call<Held>(6, rpc::Priority::normal, ends);
    EXPECT_TRUE(pair.world().run_until([&] { return !ends.empty(); }, 10s));
    EXPECT_EQ(executed, std::vector<std::uint64_t>{6});
  });
}

}  // namespace
}  // namespace krg::cluster_test

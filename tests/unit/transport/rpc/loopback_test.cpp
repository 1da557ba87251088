// A node that calls itself: everything of rpc but the network.
#include <gtest/gtest.h>

#include <numeric>

#include "krg/reactor/event.h"
#include "krg/rpc/multicast.h"
#include "krg/rpc/rpc.h"

namespace krg::rpc {
namespace {

using namespace std::chrono_literals;

struct Number {
  std::uint64_t n = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.n); }
};
struct Text {
  std::string text;
  static void wire_fields(auto& m, auto&& visit) { visit(m.text); }
};
struct Add {
  static constexpr ServiceId kId{0x100};
  static constexpr const char* kName = "test.add";
  using Request = Number;
  using Reply = Number;
};
struct Slow {
  static constexpr ServiceId kId{0x101};
  static constexpr const char* kName = "test.slow";
  using Request = Number;
  using Reply = Number;
};
struct Big {
  static constexpr ServiceId kId{0x102};
  static constexpr const char* kName = "test.big";
  using Request = Text;
  using Reply = Text;
};
struct Chat {
  static constexpr ServiceId kId{0x103};
  static constexpr const char* kName = "test.chat";
  using Request = Number;
  using Reply = Number;
  using Up = Number;
  using Down = Number;
};

class RpcLoopback : public testing::Test {
 public:
  // Runs `co` to its end, moving the virtual clock from timer to timer when nothing is ready.
  void run(Co<void> co) {
    bool done = false;
    reactor_.spawn([](Co<void> body, bool& flag) -> Co<void> {
      co_await std::move(body);
      flag = true;
    }(std::move(co), done));
    for (int idle = 0; !done;) {
      if (reactor_.turn()) {
        idle = 0;
        continue;
      }
      if (++idle < 32) continue;  // The reactor reads its clock every 16 turns.
      const auto next = reactor_.next_timer();
      ASSERT_TRUE(next.has_value()) << "nothing is left to happen";
      clock_.advance_to(std::max(clock_.now(), *next));
      idle = 0;
    }
  }
  // A number of the registry; 0 if it is not there.
  std::int64_t counted(std::string_view name) const {
    const stats::Snapshot all = rpc_.stats().snapshot();
    const stats::Item* const item = all.find(name);
    if (item == nullptr) return 0;
    return item->kind == stats::Kind::histogram
               ? static_cast<std::int64_t>(item->distribution.count())
               : item->value;
  }
  CallOptions within(Duration d) { return {.deadline = reactor_.after(d)}; }

  reactor::VirtualClock clock_;
  reactor::Reactor reactor_{clock_};
  Rpc rpc_{reactor_, {.self = {NodeId{0}, Incarnation{1}}}};
  struct Registered {
    reactor::Reactor& reactor;
    Rpc& rpc;
    Registered(reactor::Reactor& r, Rpc& p) : reactor(r), rpc(p) { reactor.add_poller(rpc); }
    ~Registered() { reactor.remove_poller(rpc); }
  } registered_{reactor_, rpc_};
  const NodeId self_{0};
};

TEST_F(RpcLoopback, AnInlineHandlerAnswers) {
  rpc_.serve<Add>([](Incoming&, Number& n) -> Result<Number> { return Number{n.n + 1}; });
  run([](RpcLoopback& t) -> Co<void> {
    for (std::uint64_t i = 0; i < 5000; ++i) {
      const auto reply = co_await t.rpc_.call<Add>(t.self_, {i}, t.within(1s));
      EXPECT_TRUE(reply);
      if (!reply) co_return;
      EXPECT_EQ(reply->n, i + 1);
    }
  }(*this));
  EXPECT_EQ(rpc_.pending_calls(), 0u);
  EXPECT_EQ(rpc_.active_handlers(), 0u);
}

TEST_F(RpcLoopback, EveryKindOfMessageIsCountedWithItsBytes) {
  rpc_.serve<Add>([](Incoming&, Number& n) -> Result<Number> {
    if (n.n == 0) return Error(Errc::not_found);
    return n;
  });
  rpc_.serve<Big>([](Incoming&, Text&) -> Result<Text> { return Text{"ok"}; });
  run([](RpcLoopback& t) -> Co<void> {
    for (std::uint64_t i = 0; i < 17; ++i) {
      (void)co_await t.rpc_.call<Add>(t.self_, {i}, t.within(1s));
    }
    EXPECT_TRUE(t.rpc_.notify<Add>(t.self_, {1}));
    const Text text{std::string(100'000, 'x')};
    EXPECT_TRUE(co_await t.rpc_.call<Big>(t.self_, text, t.within(1s)));
  }(*this));
  const auto size = static_cast<std::int64_t>(wire::encoded_size(Number{}));
  EXPECT_EQ(counted("rpc.test.add.called.count"), 17);
  EXPECT_EQ(counted("rpc.test.add.called.failed"), 1);
  EXPECT_EQ(counted("rpc.test.add.called.bytes_out"), 17 * size);
  EXPECT_EQ(counted("rpc.test.add.called.bytes_in"), 16 * size + 2);  // An error is two bytes.
  EXPECT_EQ(counted("rpc.test.add.called.latency"), 2);  // Of 17 the 9th, and the 17th.
  EXPECT_EQ(counted("rpc.test.add.served.count"), 17);
  EXPECT_EQ(counted("rpc.test.add.served.failed"), 1);
  EXPECT_EQ(counted("rpc.test.add.served.bytes_in"), 17 * size);
  EXPECT_EQ(counted("rpc.test.add.served.bytes_out"), 16 * size + 2);
  EXPECT_EQ(counted("rpc.test.add.one_way_sent.count"), 1);
  EXPECT_EQ(counted("rpc.test.add.one_way_sent.bytes_out"), size);
  EXPECT_EQ(counted("rpc.test.add.one_way_received.count"), 1);
  EXPECT_EQ(counted("rpc.test.add.one_way_received.bytes_in"), size);
  EXPECT_GE(counted("rpc.test.big.called.bytes_out"), 100'000);
  EXPECT_EQ(counted("rpc.test.big.called.bytes_out"), counted("rpc.test.big.served.bytes_in"));
  EXPECT_EQ(counted("rpc.test.big.called.latency"), 1);  // The first call is always timed.
  // Nothing of it has left the node.
  EXPECT_EQ(counted("rpc.to_others.sent.count"), 0);
  EXPECT_EQ(counted("rpc.to_others.sent.bytes_out"), 0);
}

TEST_F(RpcLoopback, ACallThatTimesOutCountsAsFailed) {
  rpc_.serve<Add>([](Incoming&, Number& n) -> Result<Number> { return n; }, false);
  run([](RpcLoopback& t) -> Co<void> {
    EXPECT_FALSE(co_await t.rpc_.call<Add>(t.self_, {1}, t.within(1s)));
  }(*this));
  EXPECT_EQ(counted("rpc.test.add.called.count"), 1);
  EXPECT_EQ(counted("rpc.test.add.called.failed"), 1);
  EXPECT_EQ(counted("rpc.test.add.called.latency"), 0);
}

TEST_F(RpcLoopback, WhatIsNotServedHereIsCountedAsOther) {
  run([](RpcLoopback& t) -> Co<void> {
    (void)co_await t.rpc_.call<Add>(t.self_, {1}, t.within(1s));
  }(*this));
  EXPECT_EQ(counted("rpc.other.called.count"), 1);
  EXPECT_EQ(counted("rpc.other.called.failed"), 1);
  EXPECT_EQ(counted("rpc.other.served.failed"), 1);
}

TEST_F(RpcLoopback, AnErrorOfTheHandlerReachesTheCaller) {
  rpc_.serve<Add>([](Incoming&, Number&) -> Result<Number> { return Error(Errc::not_found); });
  run([](RpcLoopback& t) -> Co<void> {
    const auto reply = co_await t.rpc_.call<Add>(t.self_, {1}, t.within(1s));
    EXPECT_FALSE(reply);
    EXPECT_EQ(reply.error().code(), Errc::not_found);
  }(*this));
}

TEST_F(RpcLoopback, AnUnknownServiceIsRefused) {
  run([](RpcLoopback& t) -> Co<void> {
    const auto reply = co_await t.rpc_.call<Add>(t.self_, {1}, t.within(1s));
    EXPECT_EQ(reply.error().code(), Errc::no_service);
  }(*this));
}

// Goal    a number that no node can have, as a peer's bytes may bring it, is an error and no bug.
TEST_F(RpcLoopback, ANodeOutOfRangeIsUnreachable) {
  rpc_.serve<Add>([](Incoming&, Number& n) -> Result<Number> { return n; });
  run([](RpcLoopback& t) -> Co<void> {
    for (const std::uint32_t number : {0x10000u, 0xfffffff0u, 0xffffffffu}) {
      const auto reply = co_await t.rpc_.call<Add>(NodeId{number}, {1}, t.within(1s));
      EXPECT_EQ(reply.error().code(), Errc::unreachable);
    }
    std::vector<NodeId> nodes = {t.self_, NodeId{0xfffffff0u}};
    const auto replies =
        co_await call_all<Add>(t.rpc_, std::move(nodes), {1}, t.reactor_.after(1s));
    EXPECT_EQ(replies.size(), 2u);
    for (const auto& one : replies) EXPECT_EQ(one.node == t.self_, one.reply.has_value());
  }(*this));
  EXPECT_EQ(rpc_.pending_calls(), 0u);
}

TEST_F(RpcLoopback, ACallEndsByItsDeadlineAndTheHandlerIsTold) {
  bool saw_cancel = false;
  rpc_.serve<Slow>([&](Incoming& in, Number n) -> Co<Result<Number>> {
    co_await reactor::sleep_for(reactor_, 5s);
    saw_cancel = in.cancelled();
    co_return n;
  });
  run([](RpcLoopback& t) -> Co<void> {
    const auto reply = co_await t.rpc_.call<Slow>(t.self_, {1}, t.within(1s));
    EXPECT_EQ(reply.error().code(), Errc::timed_out);
    EXPECT_EQ(t.rpc_.pending_calls(), 0u);
    co_await reactor::sleep_for(t.reactor_, 10s);
  }(*this));
  EXPECT_TRUE(saw_cancel);
  EXPECT_EQ(rpc_.active_handlers(), 0u);
}

TEST_F(RpcLoopback, CallsWithOneKeyRunOneAfterTheOtherInOrder) {
  std::vector<std::uint64_t> order;
  int running = 0;
  rpc_.serve<Slow>([&](Incoming&, Number n) -> Co<Result<Number>> {
    EXPECT_EQ(++running, 1);
    co_await reactor::sleep_for(reactor_, 10ms * (10 - static_cast<int>(n.n)));
    order.push_back(n.n);
    --running;
    co_return n;
  });
  run([](RpcLoopback& t) -> Co<void> {
    reactor::WaitGroup group(t.reactor_);
    for (std::uint64_t i = 0; i < 10; ++i) {
      group.add();
      t.reactor_.spawn([](RpcLoopback& u, std::uint64_t n, reactor::WaitGroup& g) -> Co<void> {
        EXPECT_TRUE(co_await u.rpc_.call<Slow>(u.self_, {n},
                                               {.deadline = u.reactor_.after(10s), .key = 77}));
        g.done();
      }(t, i, group));
    }
    EXPECT_TRUE(co_await group.wait(t.reactor_.after(20s)));
  }(*this));
  std::vector<std::uint64_t> expected(10);
  std::iota(expected.begin(), expected.end(), 0);
  EXPECT_EQ(order, expected);
}

TEST_F(RpcLoopback, ADisabledServiceQueuesUntilItIsEnabled) {
  rpc_.serve<Add>([](Incoming&, Number& n) -> Result<Number> { return n; }, false);
  run([](RpcLoopback& t) -> Co<void> {
    t.reactor_.spawn([](RpcLoopback& u) -> Co<void> {
      co_await reactor::sleep_for(u.reactor_, 2s);
      u.rpc_.enable(Add::kId);
    }(t));
    const TimePoint begin = t.clock_.now();
    EXPECT_TRUE(co_await t.rpc_.call<Add>(t.self_, {1}, t.within(10s)));
    EXPECT_GE(t.clock_.now() - begin, 2s);
    // One that gives up while it waits is never executed.
    t.rpc_.disable(Add::kId);
    const auto late = co_await t.rpc_.call<Add>(t.self_, {2}, t.within(1s));
    EXPECT_EQ(late.error().code(), Errc::timed_out);
    co_await reactor::sleep_for(t.reactor_, 10ms);  // The cancel is on its way.
    t.rpc_.enable(Add::kId);
  }(*this));
  EXPECT_EQ(counted("rpc.test.add.served.count"), 1);
}

TEST_F(RpcLoopback, AMessageOfAnySizeArrives) {
  rpc_.serve<Big>([](Incoming&, Text& t) -> Result<Text> { return Text{t.text + t.text}; });
  run([](RpcLoopback& t) -> Co<void> {
    for (const std::size_t size : {0, 1, 4000, 4090, 8100, 8144, 8200, 100'000, 3'000'000}) {
      const Text text{std::string(size, 'x')};
      const auto reply = co_await t.rpc_.call<Big>(t.self_, text, t.within(1s));
      EXPECT_TRUE(reply) << size;
      EXPECT_EQ(reply ? reply->text.size() : 0, 2 * size);
    }
  }(*this));
  EXPECT_EQ(rpc_.buffers().in_use(), 0u);
}

TEST_F(RpcLoopback, BulkDataTravelsBesideRequestAndReply) {
  rpc_.serve<Add>([](Incoming& in, Number& n) -> Result<Number> {
    Number sum = n;
    for (const std::byte b : in.attachment().bytes()) sum.n += std::to_integer<std::uint64_t>(b);
    in.attach(std::move(in.attachment()));
    return sum;
  });
  run([](RpcLoopback& t) -> Co<void> {
    for (const std::size_t size : {1u, 4096u, 4097u, 1u << 20}) {
      Buffer data = t.rpc_.buffers().take(size);
      std::fill(data.bytes().begin(), data.bytes().end(), std::byte{2});
      const auto reply =
          co_await t.rpc_.call_data<Add>(t.self_, {1}, t.within(1s), Bulk(std::move(data)));
      EXPECT_TRUE(reply);
      if (!reply) co_return;
      EXPECT_EQ(reply->reply.n, 1 + 2 * size);
      EXPECT_EQ(reply->data.size(), size);
    }
  }(*this));
  EXPECT_EQ(rpc_.buffers().in_use(), 0u);
}

TEST_F(RpcLoopback, MoreCallsThanCreditsAllEnd) {
  rpc_.serve<Slow>([&](Incoming&, Number n) -> Co<Result<Number>> {
    co_await reactor::sleep_for(reactor_, 10ms);
    co_return n;
  });
  int answered = 0;
  run([](RpcLoopback& t, int& count) -> Co<void> {
    reactor::WaitGroup group(t.reactor_);
    for (std::uint64_t i = 0; i < 5000; ++i) {
      group.add();
      t.reactor_.spawn(
          [](RpcLoopback& u, std::uint64_t n, reactor::WaitGroup& g, int& c) -> Co<void> {
            const auto reply = co_await u.rpc_.call<Slow>(u.self_, {n}, u.within(60s));
            if (reply && reply->n == n) ++c;
            g.done();
          }(t, i, group, count));
    }
    EXPECT_TRUE(co_await group.wait(t.reactor_.after(60s)));
  }(*this, answered));
  EXPECT_EQ(answered, 5000);
}

TEST_F(RpcLoopback, NoticesArriveInOrder) {
  std::vector<std::uint64_t> got;
  rpc_.serve<Add>([&](Incoming&, Number& n) -> Result<Number> {
    got.push_back(n.n);
    return n;
  });
  run([](RpcLoopback& t, std::vector<std::uint64_t>& seen) -> Co<void> {
    for (std::uint64_t i = 0; i < 3000; ++i) EXPECT_TRUE(t.rpc_.notify<Add>(t.self_, {i}));
    while (seen.size() < 3000) co_await reactor::sleep_for(t.reactor_, 1ms);
  }(*this, got));
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
}

TEST_F(RpcLoopback, AConversationCarriesItemsBothWays) {
  rpc_.serve<Chat>([&](Incoming&, Number n, ServerStream<Chat>& stream) -> Co<Result<Number>> {
    std::uint64_t sum = n.n;
    for (;;) {
      const auto item = co_await stream.recv(reactor_.after(5s));
      if (!item) {
        EXPECT_EQ(item.error().code(), Errc::end_of_stream);
        break;
      }
      sum += item->n;
      EXPECT_TRUE(co_await stream.send({item->n * 2}, reactor_.after(5s)));
    }
    co_return Number{sum};
  });
  run([](RpcLoopback& t) -> Co<void> {
    auto stream = t.rpc_.open<Chat>(t.self_, {5}, t.within(60s));
    for (std::uint64_t i = 0; i < 500; ++i) {
      EXPECT_TRUE(co_await stream->send({i}, t.reactor_.after(5s)));
      const auto item = co_await stream->recv(t.reactor_.after(5s));
      EXPECT_TRUE(item);
      if (!item) co_return;
      EXPECT_EQ(item->n, 2 * i);
    }
    stream->end();
    const auto total = co_await stream->finish();
    EXPECT_TRUE(total);
    EXPECT_EQ(total ? total->n : 0, 5 + 499 * 500 / 2);
    EXPECT_EQ(t.counted("rpc.test.chat.called.count"), 1);
    EXPECT_EQ(t.counted("rpc.test.chat.items_sent.count"), 1000);  // Both sides are here.
    EXPECT_EQ(t.counted("rpc.test.chat.items_received.count"), 1000);
    EXPECT_GE(t.counted("rpc.test.chat.items_sent.bytes_out"), 1000);
  }(*this));
  EXPECT_EQ(rpc_.pending_calls(), 0u);
  EXPECT_EQ(rpc_.active_handlers(), 0u);
}

TEST_F(RpcLoopback, AStreamThatNobodyReadsStopsItsSender) {
  rpc_.serve<Chat>([&](Incoming&, Number, ServerStream<Chat>&) -> Co<Result<Number>> {
    co_await reactor::sleep_for(reactor_, 100s);
    co_return Number{};
  });
  run([](RpcLoopback& t) -> Co<void> {
    auto stream = t.rpc_.open<Chat>(t.self_, {5}, t.within(3s));
    int sent = 0;
    while (co_await stream->send({1}, t.reactor_.after(1s))) ++sent;
    EXPECT_EQ(sent, 64);
    EXPECT_EQ((co_await stream->finish()).error().code(), Errc::timed_out);
  }(*this));
}

TEST_F(RpcLoopback, DestroyingAnOpenStreamCancelsItAtTheServer) {
  Errc seen = Errc::ok;
  rpc_.serve<Chat>([&](Incoming& in, Number n, ServerStream<Chat>& s) -> Co<Result<Number>> {
    const auto item = co_await s.recv(reactor_.after(50s));
    seen = item.error().code();
    EXPECT_TRUE(in.cancelled());
    co_return n;
  });
  run([](RpcLoopback& t) -> Co<void> {
    {
      auto stream = t.rpc_.open<Chat>(t.self_, {1}, t.within(60s));
      co_await reactor::sleep_for(t.reactor_, 1s);
    }
    EXPECT_EQ(t.rpc_.pending_calls(), 0u);
    co_await reactor::sleep_for(t.reactor_, 10s);
  }(*this));
  EXPECT_EQ(seen, Errc::cancelled);
  EXPECT_EQ(rpc_.active_handlers(), 0u);
}

}  // namespace
}  // namespace krg::rpc

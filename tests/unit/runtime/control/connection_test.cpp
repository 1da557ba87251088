#include "krg/control/connection.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

namespace krg::control {
namespace {

struct Text {
  static constexpr std::uint16_t kFrame = 7;
  std::string text;
  static void wire_fields(auto& m, auto&& visit) { visit(m.text); }
};

struct Collector : ConnectionHandler {
  void on_frame(Connection&, std::uint16_t type, wire::Bytes body) override {
    EXPECT_EQ(type, Text::kFrame);
    auto message = wire::decode<Text>(body);
    ASSERT_TRUE(message);
    texts.push_back(message->text);
    if (then) then();
  }
  void on_closed(Connection&, Status why) override {
    closed = true;
    end = why;
  }
  std::vector<std::string> texts;
  std::function<void()> then;
  bool closed = false;
  Status end;
};

class ConnectionTest : public testing::Test {
 protected:
  void SetUp() override {
    signal(SIGPIPE, SIG_IGN);
    int pair[2];
    ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
    a = std::make_unique<Connection>(reactor, UniqueFd(pair[0]), UniqueFd(), at_a);
    b = std::make_unique<Connection>(reactor, UniqueFd(pair[1]), UniqueFd(), at_b);
  }
  template <class F>
  void until(F done) {
    for (int i = 0; i < 10'000'000 && !done(); ++i) reactor.turn();
    ASSERT_TRUE(done());
  }

  reactor::RealClock clock;
  reactor::Reactor reactor{clock};
  Collector at_a, at_b;
  std::unique_ptr<Connection> a, b;
};

TEST_F(ConnectionTest, FramesArriveInOrderWhateverTheirSize) {
  std::vector<std::string> sent;
  for (std::size_t size : {0u, 1u, 100u, 70'000u, 3'000'000u, 5u}) {
    sent.emplace_back(size, static_cast<char>('a' + sent.size()));
    a->send(Text{sent.back()});
  }
  until([&] { return at_b.texts.size() == sent.size(); });
  EXPECT_EQ(at_b.texts, sent);
}

TEST_F(ConnectionTest, FramesAreCountedByTypeAndWay) {
  stats::Registry registry;
  Traffic traffic(registry, [](std::uint16_t type) -> std::string {
    return type == Text::kFrame ? "text" : "";
  });
  a->count_in(traffic);
  b->pause();
  a->send(Text{"one"});
  a->send_frame(99, {});
  b->send(Text{"two"});
  b->send(Text{"three"});
  until([&] { return at_a.texts.size() == 2; });
  const stats::Snapshot all = registry.snapshot();
  const auto size = [](const char* text) {
    return static_cast<std::int64_t>(wire::encode(Text{text}).size());
  };
  EXPECT_EQ(all.find("control.text.sent.count")->value, 1);
  EXPECT_EQ(all.find("control.text.sent.bytes_out")->value, size("one"));
  EXPECT_EQ(all.find("control.text.received.count")->value, 2);
  EXPECT_EQ(all.find("control.text.received.bytes_in")->value, size("two") + size("three"));
  EXPECT_EQ(all.find("control.unknown.sent.count")->value, 1);
}

TEST_F(ConnectionTest, RoomIsGivenWhenTheOtherSideReads) {
  b->pause();
  while (a->queued() < 1'000'000) a->send(Text{std::string(100'000, 'x')});
  bool room = false;
  auto body = [&]() -> Co<void> {
    EXPECT_TRUE(co_await a->room(Deadline::never()));
    room = true;
  };
  reactor.spawn(body());
  for (int i = 0; i < 1000; ++i) reactor.turn();
  EXPECT_FALSE(room);
  b->resume();
  until([&] { return room; });
}

TEST_F(ConnectionTest, AnOrderlyEndIsToldAfterTheLastFrame) {
  a->send(Text{"last"});
  a.reset();
  until([&] { return at_b.closed; });
  EXPECT_EQ(at_b.texts, std::vector<std::string>{"last"});
  EXPECT_TRUE(at_b.end);
}

TEST_F(ConnectionTest, TheHandlerMayDestroyTheConnection) {
  at_b.then = [&] { b.reset(); };
  a->send(Text{"one"});
  a->send(Text{"two"});
  until([&] { return at_a.closed; });
  EXPECT_EQ(at_b.texts, std::vector<std::string>{"one"});
}

TEST_F(ConnectionTest, WhatIsNotAFrameEndsTheConnection) {
  int pair[2];
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
  Collector collector;
  Connection victim(reactor, UniqueFd(pair[0]), UniqueFd(), collector);
  const std::string junk = "GET / HTTP/1.1\r\n\r\n";
  ASSERT_EQ(write(pair[1], junk.data(), junk.size()), static_cast<ssize_t>(junk.size()));
  until([&] { return collector.closed; });
  EXPECT_EQ(collector.end.error(), Errc::protocol_error);
  EXPECT_TRUE(collector.texts.empty());
  ::close(pair[1]);
}

}  // namespace
}  // namespace krg::control

#include "krg/gate/control.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "krg/gate/frame.h"
#include "services.h"

namespace krg::gate {
namespace {

using namespace std::chrono_literals;
using reactor::block_on;
using test::Chat;
using test::Descriptors;
using test::Echo;
using test::Held;
using test::Text;

// A server and a client of it on one reactor.
class ControlTest : public testing::Test {
 protected:
  ControlTest() {
    server_.serve<Echo>([](Call&, const Text& r) -> Result<Text> {
      if (r.text == "fail") return Error(Errc::not_found).with_native(7).with_peer(NodeId{3});
      return r;
    });
    server_.serve<Held>([this](Call& call, Text r) -> Co<Result<Text>> {
      const Guard guard(held_);
      KRG_CO_TRY(co_await let_go_.wait(call.deadline()));
      co_return r;
    });
    server_.set_observer([this](const Caller& caller, Server::SessionEvent event) {
      log_ += event == Server::SessionEvent::begin ? "+" : "-";
      last_caller_ = caller;
    });
    EXPECT_TRUE(server_.listen());
  }

  struct Guard {
    explicit Guard(int& count) : count_(count) { ++count_; }
    ~Guard() { --count_; }
    int& count_;
  };

  Deadline soon() { return reactor_.after(5s); }
  Status connect(Control& control) {
    return block_on(reactor_, control.connect(dir_.socket(), soon()));
  }
  // Turns until `condition` holds; the outside world is only the kernel's sockets.
  template <class F>
  void turn_until(F condition) {
    for (int i = 0; i < 2'000'000 && !condition(); ++i) reactor_.turn();
    EXPECT_TRUE(condition());
  }

  reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_, reactor::Reactor::Waiting::block};
  test::TempDir dir_;
  reactor::Event let_go_{reactor_};
  int held_ = 0;
  std::string log_;
  Caller last_caller_;
  Server server_{reactor_, {.path = dir_.socket()}};
};

TEST_F(ControlTest, ATypedCallGoesThereAndBack) {
  Control control(reactor_);
  ASSERT_TRUE(connect(control));
  const auto reply = block_on(reactor_, control.call<Echo>({"hello"}, soon()));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->text, "hello");
  EXPECT_EQ(last_caller_.pid, getpid());
  EXPECT_EQ(last_caller_.uid, geteuid());
}

TEST_F(ControlTest, AnErrorArrivesWithCodePeerAndStatus) {
  Control control(reactor_);
  ASSERT_TRUE(connect(control));
  const auto reply = block_on(reactor_, control.call<Echo>({"fail"}, soon()));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Errc::not_found);
  EXPECT_EQ(reply.error().native(), 7);
  EXPECT_EQ(reply.error().peer(), NodeId{3});
}

TEST_F(ControlTest, MegabytesPassInBothDirectionsAndNoMoreThanTheBound) {
  Control control(reactor_);
  ASSERT_TRUE(connect(control));
  const std::string big(8u << 20, 'x');
  const auto reply = block_on(reactor_, control.call<Echo>({big}, soon()));
  ASSERT_TRUE(reply);
  EXPECT_EQ(reply->text, big);
  const auto refused =
      block_on(reactor_, control.call<Echo>({std::string(kBodyMax + 1, 'x')}, soon()));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code(), Errc::too_large);
  EXPECT_TRUE(control.connected());
}

TEST_F(ControlTest, AnUnknownServiceIsAnErrorOfThatCallAlone) {
  Control control(reactor_);
  ASSERT_TRUE(connect(control));
  const auto reply = block_on(reactor_, control.call<Chat>({"x"}, soon()));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Errc::no_service);
  EXPECT_TRUE(block_on(reactor_, control.call<Echo>({"still here"}, soon())));
}

TEST_F(ControlTest, ACallThatTimesOutIsCancelledAtTheServer) {
  Control control(reactor_);
  ASSERT_TRUE(connect(control));
  const auto reply = block_on(reactor_, control.call<Held>({"x"}, reactor_.after(20ms)));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Errc::timed_out);
  turn_until([&] { return held_ == 0; });
}

TEST_F(ControlTest, AClientThatGoesAwayDestroysItsHandlersAndEndsItsCalls) {
  Error end;
  auto call = [&](Control& control) -> Co<void> {
    const Text request{"x"};
    const auto reply = co_await control.call<Held>(request, Deadline::never());
    end = reply ? Error() : reply.error();
  };
  {
    Control control(reactor_);
    ASSERT_TRUE(connect(control));
    reactor_.spawn(call(control));
    turn_until([&] { return held_ == 1; });
  }
  turn_until([&] { return server_.sessions() == 0 && end.code() != Errc::ok; });
  EXPECT_EQ(held_, 0);
  EXPECT_EQ(end.code(), Errc::cancelled);
  EXPECT_EQ(log_, "+-");
}

TEST_F(ControlTest, DescriptorsTravelBothWays) {
  server_.serve<Descriptors>([](Call& call, const Text&) -> Result<Text> {
    std::vector<UniqueFd> fds = call.take_fds();
    if (fds.size() != 1) return Error(Errc::invalid_argument);
    char buffer[16] = {};
    const ssize_t n = read(fds[0].get(), buffer, sizeof buffer);
    int ends[2];
    if (pipe(ends) != 0) return errno_error(Errc::system_error, "pipe");
    const UniqueFd writing(ends[1]);
    if (write(writing.get(), "back", 4) != 4) return Error(Errc::system_error);
    KRG_TRY(call.pass(UniqueFd(ends[0])));
    return Text{std::string(buffer, static_cast<std::size_t>(n))};
  });
  Control control(reactor_);
  ASSERT_TRUE(connect(control));
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const UniqueFd writing(ends[1]);
  ASSERT_EQ(write(writing.get(), "there", 5), 5);
  std::vector<UniqueFd> fds;
  fds.emplace_back(ends[0]);
  std::vector<UniqueFd> received;
  const auto reply =
      block_on(reactor_, control.call<Descriptors>({}, soon(), std::move(fds), &received));
  ASSERT_TRUE(reply) << reply.error().message();
  EXPECT_EQ(reply->text, "there");
  ASSERT_EQ(received.size(), 1u);
  char buffer[16] = {};
  EXPECT_EQ(read(received[0].get(), buffer, sizeof buffer), 4);
  EXPECT_STREQ(buffer, "back");
}

TEST_F(ControlTest, AStreamCarriesItemsBothWaysAndThenTheReply) {
  server_.serve<Chat>([](Call& call, ServerStream<Chat> stream, Text r) -> Co<Result<Text>> {
    int count = 0;
    while (auto item = co_await stream.receive(call.deadline())) {
      ++count;
      const Text answer{r.text + item->text};
      KRG_CO_TRY(co_await stream.send(answer, call.deadline()));
    }
    co_return Text{std::to_string(count)};
  });
  Control control(reactor_);
  ASSERT_TRUE(connect(control));
  auto talk = [&]() -> Co<std::string> {
    ClientStream<Chat> stream = control.open<Chat>({"> "});
    std::string heard;
    for (const char* word : {"a", "b", "c"}) {
      const Text item{word};
      static_cast<void>((co_await stream.send(item, soon())).has_value());
    }
    stream.end();
    while (auto item = co_await stream.receive(soon())) heard += item->text;
    const auto reply = co_await stream.reply(soon());
    co_return heard + " " + (reply ? reply->text : reply.error().message());
  };
  EXPECT_EQ(block_on(reactor_, talk()), "> a> b> c 3");
}

TEST_F(ControlTest, AReaderThatIsSlowSuspendsTheSenderAndLosesNothing) {
  constexpr int kItems = 400;
  int sent = 0;
  server_.serve<Chat>([&](Call& call, ServerStream<Chat> stream, Text) -> Co<Result<Text>> {
    const Text block{std::string(64u << 10, 'x')};
    for (; sent < kItems; ++sent) {
      KRG_CO_TRY(co_await stream.send(block, call.deadline()));
    }
    co_return Text{"done"};
  });
  Control control(reactor_);
  ASSERT_TRUE(connect(control));
  ClientStream<Chat> stream = control.open<Chat>({});
  for (int i = 0; i < 100'000; ++i) reactor_.turn();
  EXPECT_GT(sent, 0);
  EXPECT_LT(sent, kItems / 2);  // 25 MB do not fit in the bounded queues.
  auto drain = [&]() -> Co<int> {
    int received = 0;
    while (auto item = co_await stream.receive(soon())) ++received;
    co_return received;
  };
  EXPECT_EQ(block_on(reactor_, drain()), kItems);
}

TEST_F(ControlTest, ADroppedStreamDestroysItsHandler) {
  server_.serve<Chat>([&](Call& call, ServerStream<Chat> stream, Text) -> Co<Result<Text>> {
    const Guard guard(held_);
    while (auto item = co_await stream.receive(call.deadline())) {
    }
    co_return Text{};
  });
  Control control(reactor_);
  ASSERT_TRUE(connect(control));
  {
    ClientStream<Chat> stream = control.open<Chat>({});
    turn_until([&] { return held_ == 1; });
  }
  turn_until([&] { return held_ == 0; });
  EXPECT_TRUE(control.connected());
}

TEST_F(ControlTest, AServerThatEndsIsNoticedByItsClients) {
  Control control(reactor_);
  auto other = std::make_unique<Server>(reactor_, Server::Options{.path = dir_.socket() + "2"});
  ASSERT_TRUE(other->listen());
  ASSERT_TRUE(block_on(reactor_, control.connect(dir_.socket() + "2", soon())));
  other.reset();
  turn_until([&] { return control.gone().is_set(); });
  const auto reply = block_on(reactor_, control.call<Echo>({"x"}, soon()));
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().code(), Errc::peer_down);
  Control late(reactor_);
  EXPECT_EQ(block_on(reactor_, late.connect(dir_.socket() + "2", soon())).error().code(),
            Errc::not_found);
}

TEST_F(ControlTest, TwoServersCanNotHaveOnePathButADeadOnesIsTakenOver) {
  Server second(reactor_, {.path = dir_.socket()});
  EXPECT_EQ(second.listen().error().code(), Errc::already_exists);

  // A socket file nobody listens at: what a killed krgd leaves behind.
  const std::string stale = dir_.name() + "/stale";
  const UniqueFd fd(::socket(AF_UNIX, SOCK_STREAM, 0));
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  stale.copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  Server third(reactor_, {.path = stale});
  EXPECT_TRUE(third.listen());
}

TEST_F(ControlTest, TheSocketIsForItsOwnerAloneAndSoIsItsDirectory) {
  struct stat info {};
  ASSERT_EQ(stat(dir_.socket().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(chmod(dir_.name().c_str(), 0755), 0);
  Server open(reactor_, {.path = dir_.name() + "/other"});
  EXPECT_EQ(open.listen().error().code(), Errc::denied);
  Server nowhere(reactor_, {.path = dir_.name() + std::string(120, 'x')});
  EXPECT_EQ(nowhere.listen().error().code(), Errc::too_large);
}

// Speaks raw bytes to the server.
class Raw {
 public:
  explicit Raw(const std::string& path) : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path.copy(address.sun_path, sizeof address.sun_path - 1);
    EXPECT_EQ(::connect(fd_.get(), reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  }
  void hello() {
    FrameHeader header;
    header.call = kMagic;
    header.code = kVersion;
    send(&header, sizeof header);
  }
  void send(const void* bytes, std::size_t size) {
    EXPECT_EQ(::send(fd_.get(), bytes, size, MSG_NOSIGNAL), static_cast<ssize_t>(size));
  }

 private:
  UniqueFd fd_;
};

TEST_F(ControlTest, WhoDoesNotSayHelloIsCutOff) {
  Raw raw(dir_.socket());
  raw.send("GET / HTTP/1.1\r\nHost: x\r\n\r\n", 27);
  turn_until([&] { return log_ == "+-"; });
}

TEST_F(ControlTest, NonsenseAfterTheHelloIsCutOff) {
  FrameHeader unknown_kind;
  unknown_kind.kind = static_cast<FrameKind>(77);
  FrameHeader oversized;
  oversized.kind = FrameKind::request;
  oversized.size = kBodyMax + 1;
  FrameHeader missing_fds;
  missing_fds.kind = FrameKind::request;
  missing_fds.fds = 3;
  FrameHeader server_only;
  server_only.kind = FrameKind::reply;
  int ended = 0;
  for (const FrameHeader& bad : {unknown_kind, oversized, missing_fds, server_only}) {
    Raw raw(dir_.socket());
    raw.hello();
    raw.send(&bad, sizeof bad);
    ++ended;
    turn_until([&] { return std::count(log_.begin(), log_.end(), '-') == ended; });
  }
  EXPECT_EQ(server_.sessions(), 0u);
}

TEST_F(ControlTest, AMalformedRequestIsAnsweredAndTheSessionGoesOn) {
  Raw raw(dir_.socket());
  raw.hello();
  FrameHeader header;
  header.kind = FrameKind::request;
  header.code = Echo::kId.value;
  header.size = 3;
  header.call = 1;
  header.word = kNoTimeout;
  raw.send(&header, sizeof header);
  raw.send("abc", 3);
  for (int i = 0; i < 10'000; ++i) reactor_.turn();
  EXPECT_EQ(log_, "+");
}

TEST_F(ControlTest, SessionsAreBounded) {
  Server small(reactor_, {.path = dir_.name() + "/small", .sessions_max = 1});
  ASSERT_TRUE(small.listen());
  Control first(reactor_);
  Control second(reactor_);
  ASSERT_TRUE(block_on(reactor_, first.connect(dir_.name() + "/small", soon())));
  EXPECT_FALSE(block_on(reactor_, second.connect(dir_.name() + "/small", soon())));
  EXPECT_TRUE(first.connected());
}

}  // namespace
}  // namespace krg::gate

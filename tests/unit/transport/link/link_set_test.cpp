// Links over real sockets on loopback: two or three nodes in one process, driven by hand.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>

#include "krg/link/address.h"
#include "krg/link/handshake.h"
#include "krg/link/link.h"
#include "krg/log/log.h"

namespace krg::link {
namespace {

fabric::Key key_of(unsigned char fill) {
  fabric::Key key;
  key.fill(std::byte{fill});
  return key;
}

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}
std::string text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

// A node: its links, and what it was told.
class Node final : public LinkSink {
 public:
  explicit Node(std::uint32_t id, std::uint32_t incarnation = 1, unsigned char key = 7)
      : reactor_(clock_, reactor::Reactor::Waiting::poll) {
    options.self = {NodeId{id}, Incarnation{incarnation}};
    options.key = key_of(key);
    options.listen = "127.0.0.1";
    options.provider = "test";
  }
  void open() {
    auto opened = LinkSet::open(reactor_, *this, options);
    ASSERT_TRUE(opened.has_value()) << opened.error().message();
    links = std::move(opened).value();
  }
  void connect(const Node& to, Duration within = std::chrono::seconds(10)) {
    links->connect(to.options.self.node, to.links->address(), reactor_.after(within));
  }
  // Enough turns for the reactor to look at its descriptors once, and a millisecond of its clock.
  void step(Duration time = std::chrono::milliseconds(1)) {
    clock_.advance_to(clock_.now() + time);
    for (int i = 0; i < 128; ++i) reactor_.turn();
  }

  std::vector<std::byte> on_link_proven(Link&) override {
    ++proven;
    const auto bytes = bytes_of(greeting);
    return {bytes.begin(), bytes.end()};
  }
  void on_link_up(Link& link, std::span<const std::byte> peer_greeting) override {
    ups.push_back(&link);
    last_greeting = text_of(peer_greeting);
  }
  void on_link_message(Link&, std::span<const std::byte> message) override {
    messages.push_back(text_of(message));
  }
  void on_link_down(Link& link, Error why, bool graceful) override {
    std::erase(ups, &link);
    ++downs;
    last_down = why;
    last_graceful = graceful;
  }
  void on_connect_failed(NodeId, Error why) override { failures.push_back(why); }

  Options options;
  std::string greeting = "greeting";
  int proven = 0, downs = 0;
  std::vector<Link*> ups;
  std::vector<std::string> messages;
  std::vector<Error> failures;
  std::string last_greeting;
  Error last_down;
  bool last_graceful = false;

 private:
  reactor::VirtualClock clock_;
  reactor::Reactor reactor_;

 public:
  std::unique_ptr<LinkSet> links;
};

// Drives the nodes until `done` or far too long.
bool drive(std::initializer_list<Node*> nodes, const std::function<bool()>& done) {
  const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  while (!done()) {
    if (std::chrono::steady_clock::now() > limit) return false;
    for (Node* n : nodes) n->step();
  }
  return true;
}
void settle(std::initializer_list<Node*> nodes) {
  for (int i = 0; i < 50; ++i) {
    for (Node* n : nodes) n->step();
  }
}

// Sends the log to a file for a test's time, and counts its lines.
class LogLines {
 public:
  LogLines() {
    std::string name = "/tmp/krg-link-test-XXXXXX";
    const int fd = mkstemp(name.data());
    ::close(fd);
    path_ = name;
    EXPECT_TRUE(log::open(path_).has_value());
  }
  ~LogLines() {
    EXPECT_TRUE(log::open("/dev/stderr").has_value());
    std::filesystem::remove(path_);
  }
  int count(const std::string& word = "") const {
    std::ifstream in(path_);
    int n = 0;
    for (std::string line; std::getline(in, line);) n += line.find(word) != std::string::npos;
    return n;
  }

 private:
  std::string path_;
};

// A caller that is not one of ours.
class Stranger {
 public:
  explicit Stranger(const Node& node) : fd_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    const Address to = parse_list(node.links->address()).value().front();
    EXPECT_EQ(::connect(fd_.get(), to.get(), to.size), 0);
  }
  void send(std::span<const std::byte> bytes) {
    (void)!::send(fd_.get(), bytes.data(), bytes.size(), MSG_NOSIGNAL);
  }
  void hang_up() { fd_.reset(); }
  bool was_cut() const {
    char c;
    const ssize_t n = ::recv(fd_.get(), &c, 1, MSG_DONTWAIT | MSG_PEEK);
    return n == 0 || (n < 0 && errno != EAGAIN);
  }
  std::vector<std::byte> receive(std::size_t size) {
    std::vector<std::byte> bytes(size);
    const ssize_t n = ::recv(fd_.get(), bytes.data(), size, MSG_DONTWAIT);
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    return bytes;
  }

 private:
  UniqueFd fd_;
};

TEST(LinkSet, ConnectsGreetsAndCarriesMessages) {
  Node a(0), b(1);
  a.greeting = "from a";
  b.greeting = std::string(kMessageMax, 'b');
  a.open();
  b.open();
  a.connect(b);
  ASSERT_TRUE(drive({&a, &b}, [&] { return a.ups.size() == 1 && b.ups.size() == 1; }));
  EXPECT_EQ(a.last_greeting, b.greeting);
  EXPECT_EQ(b.last_greeting, "from a");
  EXPECT_EQ(a.ups[0]->peer(), b.options.self);
  EXPECT_EQ(b.ups[0]->peer(), a.options.self);
  EXPECT_EQ(a.ups[0]->send_token(), b.ups[0]->receive_token());
  EXPECT_EQ(b.ups[0]->send_token(), a.ups[0]->receive_token());
  EXPECT_TRUE(a.ups[0]->shares_memory());
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(a.ups[0]->send(bytes_of("m" + std::to_string(i))));
  }
  ASSERT_TRUE(b.ups[0]->send(bytes_of(std::string(kMessageMax, 'y'))));
  ASSERT_TRUE(drive({&a, &b}, [&] { return b.messages.size() == 20 && a.messages.size() == 1; }));
  for (int i = 0; i < 20; ++i) EXPECT_EQ(b.messages[i], "m" + std::to_string(i));
  EXPECT_EQ(a.messages[0].size(), kMessageMax);
  a.connect(b);  // Does nothing.
  settle({&a, &b});
  EXPECT_EQ(a.proven, 1);
}

TEST(LinkSet, SaysGoodbyeSoThatBothKnow) {
  Node a(0), b(1);
  a.open();
  b.open();
  a.connect(b);
  ASSERT_TRUE(drive({&a, &b}, [&] { return a.ups.size() == 1 && b.ups.size() == 1; }));
  ASSERT_TRUE(a.ups[0]->send(bytes_of("last")));
  a.ups[0]->close();
  ASSERT_TRUE(drive({&a, &b}, [&] { return a.downs == 1 && b.downs == 1; }));
  EXPECT_TRUE(a.last_graceful);
  EXPECT_TRUE(b.last_graceful);
  EXPECT_EQ(b.messages, std::vector<std::string>{"last"});
  b.connect(a);
  EXPECT_TRUE(drive({&a, &b}, [&] { return a.ups.size() == 1 && b.ups.size() == 1; }));
}

TEST(LinkSet, ToldOfAnAbortAndOfAPeerThatWentWithoutGoodbye) {
  Node a(0), b(1);
  a.open();
  b.open();
  a.connect(b);
  ASSERT_TRUE(drive({&a, &b}, [&] { return a.ups.size() == 1 && b.ups.size() == 1; }));
  a.ups[0]->abort(Error(Errc::protocol_error));
  EXPECT_EQ(a.downs, 0) << "never from within a call";
  ASSERT_TRUE(drive({&a, &b}, [&] { return a.downs == 1 && b.downs == 1; }));
  EXPECT_EQ(a.last_down.code(), Errc::protocol_error);
  EXPECT_EQ(b.last_down.code(), Errc::peer_down);
  EXPECT_FALSE(b.last_graceful);
}

// Goal    however two nodes' attempts interleave, one link is left, the same on both sides, and it
//         stays.
// Method  both connect at once; the number of steps between their turns varies.
TEST(LinkSet, LeavesOneLinkWhenBothConnectAtOnce) {
  LogLines lines;
  for (int lead = 0; lead < 12; ++lead) {
    Node a(0), b(1);
    a.open();
    b.open();
    Node& first = lead % 2 == 0 ? a : b;
    Node& second = lead % 2 == 0 ? b : a;
    first.connect(second);
    for (int i = 0; i < lead / 2; ++i) first.step();
    second.connect(first);
    ASSERT_TRUE(drive({&second, &first}, [&] { return !a.ups.empty() && !b.ups.empty(); }));
    settle({&a, &b});
    ASSERT_EQ(a.ups.size(), 1u) << "lead " << lead;
    ASSERT_EQ(b.ups.size(), 1u) << "lead " << lead;
    EXPECT_EQ(a.ups[0]->send_token(), b.ups[0]->receive_token()) << "lead " << lead;
    EXPECT_TRUE(a.failures.empty() && b.failures.empty());
    ASSERT_TRUE(a.ups[0]->send(bytes_of("x")));
    EXPECT_TRUE(drive({&a, &b}, [&] { return b.messages.size() == 1; }));
  }
  EXPECT_EQ(lines.count(), 0) << "nothing of this is worth a line";
}

TEST(LinkSet, NewIncarnationReplacesTheOldOneAndAnOldOneIsRefused) {
  Node a(0), b1(1, 1), b2(1, 2), b0(1, 1);
  for (Node* n : {&a, &b1, &b2, &b0}) n->open();
  b1.connect(a);
  ASSERT_TRUE(drive({&a, &b1}, [&] { return a.ups.size() == 1 && b1.ups.size() == 1; }));
  b2.connect(a);
  ASSERT_TRUE(drive({&a, &b2}, [&] { return a.downs == 1 && a.ups.size() == 1; }));
  EXPECT_EQ(a.ups[0]->peer().incarnation, Incarnation{2});
  ASSERT_TRUE(drive({&a, &b1}, [&] { return b1.downs == 1; }));

  LogLines lines;
  b0.connect(a);
  ASSERT_TRUE(drive({&a, &b0}, [&] { return b0.failures.size() == 1; }));
  EXPECT_EQ(b0.failures[0].code(), Errc::stale);
  EXPECT_EQ(lines.count("refused"), 1);
  EXPECT_EQ(a.ups.size(), 1u);
  // And from the other end: a calls an address at which an earlier life still listens.
  b2.ups[0]->abort(Error(Errc::cancelled));
  ASSERT_TRUE(drive({&a, &b2}, [&] { return a.ups.empty(); }));
  a.connect(b0);
  ASSERT_TRUE(drive({&a, &b0}, [&] { return a.failures.size() == 1; }));
  EXPECT_EQ(a.failures[0].code(), Errc::stale);
}

TEST(LinkSet, PeerThatLostItsLinkConnectsAgainWithTheSameIncarnation) {
  Node a(0), b(1), b_again(1);
  for (Node* n : {&a, &b, &b_again}) n->open();
  b.connect(a);
  ASSERT_TRUE(drive({&a, &b}, [&] { return a.ups.size() == 1; }));
  b_again.connect(a);  // The kernel has not told a of the end of b yet.
  ASSERT_TRUE(drive({&a, &b_again}, [&] { return b_again.ups.size() == 1 && a.downs == 1; }));
  EXPECT_EQ(a.ups.size(), 1u);
}

TEST(LinkSet, AnotherKeyIsRefusedWithOneLineOnEachSide) {
  Node a(0), b(1, 1, 8), c(2);
  for (Node* n : {&a, &b, &c}) n->open();
  LogLines lines;
  b.connect(a);
  ASSERT_TRUE(drive({&a, &b}, [&] { return b.failures.size() == 1; }));
  settle({&a, &b});
  EXPECT_EQ(b.failures[0].code(), Errc::auth_failed);
  EXPECT_EQ(lines.count("refused"), 1) << "at a";
  EXPECT_EQ(lines.count(), 2) << "and one at b";
  EXPECT_EQ(a.proven + b.proven, 0);
  c.connect(a);
  EXPECT_TRUE(drive({&a, &c}, [&] { return c.ups.size() == 1; })) << "and life goes on";
}

TEST(LinkSet, AnotherTransportIsRefused) {
  Node a(0), b(1);
  b.options.provider = "other";
  a.open();
  b.open();
  a.connect(b);
  ASSERT_TRUE(drive({&a, &b}, [&] { return a.failures.size() == 1; }));
  EXPECT_EQ(a.failures[0].code(), Errc::not_supported);
  EXPECT_TRUE(a.ups.empty() && b.ups.empty());
  EXPECT_EQ(a.proven, a.downs);
  EXPECT_EQ(b.proven, b.downs);
}

TEST(LinkSet, NonsenseIsRefusedWithOneLineEach) {
  Node a(0), b(1);
  a.open();
  b.open();
  std::vector<std::byte> random(4096);
  for (std::size_t i = 0; i < random.size(); ++i) random[i] = std::byte(i * 37 % 251);
  std::vector<std::byte> hello, oversized;
  Handshake({.self = {NodeId{5}, Incarnation{1}}, .wanted = NodeId{0}, .nonce = random_nonce()})
      .begin(hello);
  oversized = hello;
  oversized.resize(100'000, std::byte{1});
  std::vector<std::byte> version = hello;
  version[4] = std::byte{99};
  const std::vector<std::byte> truncated(hello.begin(), hello.begin() + 20);
  const std::vector<std::vector<std::byte>> all = {random, oversized, version, truncated, {}};
  for (const auto& bytes : all) {
    LogLines lines;
    Stranger s(a);
    s.send(bytes);
    for (int i = 0; i < 10; ++i) a.step();
    if (bytes.size() < 50) s.hang_up();
    ASSERT_TRUE(drive({&a}, [&] { return lines.count() > 0; })) << bytes.size() << " bytes";
    settle({&a});
    EXPECT_EQ(lines.count(), 1) << bytes.size() << " bytes";
    EXPECT_EQ(a.links->pending(), 0u);
  }
  b.connect(a);
  EXPECT_TRUE(drive({&a, &b}, [&] { return a.ups.size() == 1; }));
}

TEST(LinkSet, ReplayOfAWholeConnectionIsRefused) {
  Node a(0);
  a.open();
  Handshake::Options as_b{.role = Handshake::Role::initiator,
                          .self = {NodeId{1}, Incarnation{1}},
                          .wanted = NodeId{0},
                          .key = key_of(7),
                          .nonce = random_nonce()};
  Handshake honest(as_b);
  std::vector<std::byte> hello, proof;
  honest.begin(hello);
  Stranger first(a);
  first.send(hello);
  for (int i = 0; i < 50; ++i) a.step();
  honest.feed(first.receive(1000), proof);
  ASSERT_EQ(honest.state(), Handshake::State::proven);
  first.send(proof);
  ASSERT_TRUE(drive({&a}, [&] { return a.proven == 1; }));

  LogLines lines;
  Stranger second(a);
  second.send(hello);
  second.send(proof);
  ASSERT_TRUE(drive({&a}, [&] { return second.was_cut() || lines.count("refused") == 1; }));
  settle({&a});
  EXPECT_EQ(lines.count("refused"), 1);
  EXPECT_EQ(a.proven, 1);
}

TEST(LinkSet, SilentCallersAreBoundedAndCutOffInTime) {
  Node a(0), b(1);
  a.options.pending_max = 4;
  a.open();
  b.open();
  LogLines lines;
  std::vector<Stranger> slow;
  for (int i = 0; i < 10; ++i) slow.emplace_back(a);
  for (int i = 0; i < 10; ++i) a.step();
  EXPECT_EQ(a.links->pending(), 4u);
  b.connect(a, std::chrono::seconds(60));
  // Each generation of four waits for its deadline; then the next come in, and at last b.
  ASSERT_TRUE(drive({&a, &b}, [&] {
    a.step(std::chrono::milliseconds(20));
    return b.ups.size() == 1;
  }));
  EXPECT_LE(lines.count("refused"), 10);
  EXPECT_TRUE(slow[0].was_cut());
}

TEST(LinkSet, TriesEveryAddressUntilTheDeadline) {
  Node a(0), b(1), other(2);
  for (Node* n : {&a, &b, &other}) n->open();
  LogLines lines;
  const std::string dead = "127.0.0.1:1";
  // Nobody, then the wrong node, then the right one.
  a.links->connect(NodeId{1}, dead + "," + other.links->address() + "," + b.links->address(),
                   Deadline(TimePoint{std::chrono::seconds(30)}));
  ASSERT_TRUE(drive({&a, &b, &other}, [&] { return a.ups.size() == 1; }));
  EXPECT_EQ(a.ups[0]->peer().node, NodeId{1});
  EXPECT_EQ(lines.count("refused"), 1) << "by the wrong node";

  a.links->connect(NodeId{7}, dead, Deadline(TimePoint{std::chrono::seconds(60)}));
  ASSERT_TRUE(drive({&a}, [&] {
    a.step(std::chrono::milliseconds(100));
    return a.failures.size() == 1;
  }));
  EXPECT_EQ(a.failures[0].code(), Errc::unreachable);
  EXPECT_EQ(a.failures[0].peer(), NodeId{7});
  EXPECT_EQ(lines.count("no connection to node 7"), 1);
}

TEST(LinkSet, WaitsForAPeerThatListensLater) {
  Node a(0), early(1), b(1);
  a.open();
  early.open();
  const std::string address = early.links->address();
  early.links.reset();
  a.links->connect(NodeId{1}, address, Deadline(TimePoint{std::chrono::seconds(600)}));
  settle({&a});
  b.options.listen = address;
  b.open();
  EXPECT_TRUE(drive({&a, &b}, [&] { return a.ups.size() == 1; }));
}

TEST(LinkSet, RefusesImpossibleCallsLater) {
  Node a(0);
  a.open();
  for (const auto& [node, address] : {std::pair{0u, std::string("127.0.0.1:99")},
                                      {1u, std::string("nonsense")},
                                      {2u, std::string()}}) {
    a.failures.clear();
    a.links->connect(NodeId{node}, address, Deadline(TimePoint{std::chrono::seconds(600)}));
    EXPECT_TRUE(a.failures.empty()) << "never from within the call";
    ASSERT_TRUE(drive({&a}, [&] { return a.failures.size() == 1; }));
    EXPECT_EQ(a.failures[0].code(), Errc::invalid_argument);
  }
}

TEST(LinkSet, SaysSoWhenNoDescriptorIsLeft) {
  Node a(0), b(1);
  a.open();
  b.open();
  rlimit before{};
  getrlimit(RLIMIT_NOFILE, &before);
  rlimit tight = before;
  tight.rlim_cur = 3;  // All numbers below it are taken.
  ASSERT_EQ(setrlimit(RLIMIT_NOFILE, &tight), 0);
  a.connect(b);
  const bool failed = drive({&a}, [&] { return a.failures.size() == 1; });
  setrlimit(RLIMIT_NOFILE, &before);
  ASSERT_TRUE(failed);
  EXPECT_EQ(a.failures[0].code(), Errc::limit_reached);
  a.connect(b);
  EXPECT_TRUE(drive({&a, &b}, [&] { return a.ups.size() == 1; }));
}

TEST(LinkSet, BoundsWhatWaitsToBeSent) {
  Node a(0), b(1);
  a.open();
  b.open();
  a.connect(b);
  ASSERT_TRUE(drive({&a, &b}, [&] { return a.ups.size() == 1 && b.ups.size() == 1; }));
  const std::string big(kMessageMax, 'x');
  Status status;
  std::size_t sent = 0;
  for (int i = 0; i < 1000 && status; ++i) {
    status = a.ups[0]->send(bytes_of(big));
    sent += status.has_value();
  }
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code(), Errc::would_block);
  ASSERT_TRUE(drive({&a, &b}, [&] { return b.messages.size() == sent; }));
  EXPECT_TRUE(a.ups[0]->send(bytes_of("again")));
}

TEST(LinkSet, ListensOnEveryInterfaceByDefault) {
  Node a(0), b(1);
  a.options.listen = "";
  b.options.listen = "[::1]";
  a.open();
  b.open();
  EXPECT_NE(a.links->address().find("127.0.0.1:"), std::string::npos) << a.links->address();
  EXPECT_EQ(b.links->address().rfind("[::1]:", 0), 0u) << b.links->address();
  b.connect(a);
  EXPECT_TRUE(drive({&a, &b}, [&] { return b.ups.size() == 1; }));
  Node c(2);
  c.options.listen = a.links->address().substr(0, a.links->address().find(','));
  c.options.listen = "203.0.113.1";
  const auto refused =
      LinkSet::open(*std::make_unique<reactor::Reactor>(reactor::RealClock()), c, c.options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code(), Errc::invalid_argument);
}

}  // namespace
}  // namespace krg::link

// Goal    what channels promise, one promise a test; and what a peer that breaks the rules can do.
// Method  two nodes over the simulated fabric: both with channels, or one with bare rpc, which
//         speaks the frames of docs/design/kddm.md byte by byte.
#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "krg/channel/channels.h"
#include "krg/log/log.h"
#include "rpc_end.h"

namespace krg::cluster_test {
namespace {

using namespace std::chrono_literals;

constexpr NodeId kA{0}, kB{1};

wire::Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

cluster::View view_of(std::uint32_t epoch, std::vector<std::uint32_t> incarnations = {1, 1}) {
  cluster::View view;
  view.epoch = Epoch{epoch};
  for (std::uint32_t i = 0; i < incarnations.size(); ++i) {
    cluster::Member member;
    member.node = NodeId{i};
    member.incarnation = Incarnation{incarnations[i]};
    view.members.push_back(member);
  }
  return view;
}

// Bytes with an owner that tells whether it lives.
struct Owned {
  explicit Owned(std::size_t size)
      : bytes(std::make_shared<std::vector<std::byte>>(size, std::byte{7})) {}
  kddm::Data data() const { return kddm::Data::shared(bytes, *bytes); }
  std::shared_ptr<std::vector<std::byte>> bytes;
};

// One node with channels; it notes what it is given.
class Node final : public kddm::ChannelSink {
 public:
  Node(sim::World& world, NodeId node, kddm::ChannelOptions options = {})
      : world_(world),
        node_(node),
        end_(world, {.self = {node, Incarnation{1}}}),
        channels(end_.rpc(), *this, options) {}

  void on_message(NodeId from, Epoch epoch, wire::Bytes head, kddm::Arrived data) override {
    EXPECT_FALSE(inside_) << "delivered from within a call";
    EXPECT_EQ(epoch, channels.epoch());
    EXPECT_TRUE(std::all_of(data.bytes().begin(), data.bytes().end(),
                            [](std::byte b) { return b == std::byte{7}; }));
    got.emplace_back(reinterpret_cast<const char*>(head.data()), head.size());
    sizes.push_back(data.size());
    if (then) then(from);
  }
  void send(NodeId to, const std::string& head, kddm::Data data = {}) {
    inside_ = true;
    channels.send(to, bytes_of(head), std::move(data));
    inside_ = false;
    world_.wake(node_);
  }
  void set_view(const cluster::View& view) {
    inside_ = true;
    channels.set_view(view);
    inside_ = false;
    world_.wake(node_);
  }
  rpc::Rpc& rpc() { return end_.rpc(); }

 private:
  sim::World& world_;
  const NodeId node_;
  RpcEnd end_;
  bool inside_ = false;

 public:
  std::vector<std::string> got;  // Heads, in order.
  std::vector<std::size_t> sizes;
  std::function<void(NodeId)> then;
  kddm::Channels channels;
};

class ChannelPair : public ::testing::Test {
 protected:
  void open(kddm::ChannelOptions options = {}) {
    a_.emplace(world_, kA, options);
    b_.emplace(world_, kB, options);
  }
  ~ChannelPair() override {
    world_.kill(kA);
    world_.kill(kB);
  }
  bool runs_until(const std::function<bool()>& condition, Duration limit = 10s) {
    return world_.run_until(condition, limit);
  }
  bool comes_to_rest() {
    return runs_until(
        [&] { return a_->channels.unacknowledged() == 0 && b_->channels.unacknowledged() == 0; });
  }

  sim::World world_{{.nodes = 2, .latency = {.tail_per_mille = 0}}};
  std::optional<Node> a_, b_;
};

TEST_F(ChannelPair, MessagesToTheOwnNodeComeLaterAndInOrder) {
  open();
  a_->set_view(view_of(1));
  a_->send(kA, "1");
  a_->send(kA, "2", Owned(100'000).data());
  int left = 3;
  a_->then = [&](NodeId from) {
    EXPECT_EQ(from, kA);
    if (left-- > 0) a_->channels.send(kA, bytes_of("more"));
  };
  EXPECT_TRUE(a_->got.empty());
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(a_->got, (std::vector<std::string>{"1", "2", "more", "more", "more"}));
  EXPECT_EQ(a_->sizes[1], 100'000u);
}

TEST_F(ChannelPair, ANewViewDropsMessagesToTheOwnNode) {
  open();
  a_->set_view(view_of(1));
  a_->send(kA, "old");
  a_->set_view(view_of(2));
  a_->send(kA, "new");
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(a_->got, std::vector<std::string>{"new"});
}

TEST_F(ChannelPair, LargeDataAreOvertakenOnTheWireAndNotAtTheSink) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  const Owned large(1 << 20), small(100);
  for (int i = 0; i < 50; ++i) {
    a_->send(kB, std::to_string(2 * i), large.data());
    a_->send(kB, std::to_string(2 * i + 1), small.data());
  }
  EXPECT_TRUE(comes_to_rest());
  ASSERT_EQ(b_->got.size(), 100u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(b_->got[i], std::to_string(i));
  EXPECT_GT(b_->channels.stats().early, 0u);
  EXPECT_EQ(a_->channels.stats().resent, 0u);
  world_.run_for(1s);
  EXPECT_EQ(large.bytes.use_count(), 1);
  EXPECT_EQ(small.bytes.use_count(), 1);
}

TEST_F(ChannelPair, ThePagesOfATurnGoTogether) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  const Owned page(4096);
  for (int i = 0; i < 400; ++i) {
    // A message without data keeps its place among them.
    a_->send(kB, std::to_string(i), i % 10 == 9 ? kddm::Data() : page.data());
  }
  EXPECT_TRUE(comes_to_rest());
  ASSERT_EQ(b_->got.size(), 400u);
  for (int i = 0; i < 400; ++i) {
    EXPECT_EQ(b_->got[i], std::to_string(i));
    EXPECT_EQ(b_->sizes[i], i % 10 == 9 ? 0u : 4096u);
  }
  EXPECT_EQ(a_->channels.stats().bundles, 2u) << "a bundle has up to 1 MiB";
  EXPECT_GE(a_->channels.stats().bundled, 399u);
  EXPECT_EQ(a_->channels.stats().resent, 0u);
  world_.run_for(1s);
  EXPECT_EQ(page.bytes.use_count(), 1);
  EXPECT_EQ(a_->rpc().buffers().in_use() + b_->rpc().buffers().in_use(), 0u);
}

TEST_F(ChannelPair, FewPagesAndTheLargestGoByThemselves) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  a_->send(kB, "1", Owned(4096).data());
  a_->send(kB, "2", Owned(4096).data());
  EXPECT_TRUE(comes_to_rest());
  a_->send(kB, "3", Owned(60'000).data());
  EXPECT_TRUE(comes_to_rest());
  for (int i = 4; i < 8; ++i) a_->send(kB, std::to_string(i), Owned((64 << 10) + 1).data());
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(a_->channels.stats().bundles, 0u);
  EXPECT_EQ(a_->channels.stats().large, 5u);
  EXPECT_EQ(b_->got, (std::vector<std::string>{"1", "2", "3", "4", "5", "6", "7"}));
}

TEST_F(ChannelPair, WhatALargeOneSeparatesGoesInTwoBundles) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  const Owned page(4096), large(1 << 20);
  for (int i = 0; i < 21; ++i)
    a_->send(kB, std::to_string(i), i == 10 ? large.data() : page.data());
  EXPECT_TRUE(comes_to_rest());
  ASSERT_EQ(b_->got.size(), 21u);
  for (int i = 0; i < 21; ++i) EXPECT_EQ(b_->got[i], std::to_string(i));
  EXPECT_EQ(a_->channels.stats().bundles, 2u);
  EXPECT_EQ(a_->channels.stats().large, 1u);
}

TEST_F(ChannelPair, WhatIsLostOfABundleIsSentAgainOnce) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  a_->send(kB, "connects");
  EXPECT_TRUE(comes_to_rest());
  const Owned page(4096);
  for (int i = 0; i < 100; ++i) a_->send(kB, std::to_string(i), page.data());
  EXPECT_TRUE(runs_until([&] { return a_->channels.stats().bundles == 1; }));
  a_->rpc().disconnect(kB);
  b_->rpc().disconnect(kA);
  world_.wake(kA);
  world_.wake(kB);
  EXPECT_TRUE(comes_to_rest());
  ASSERT_EQ(b_->got.size(), 101u);
  for (int i = 0; i < 100; ++i) EXPECT_EQ(b_->got[i + 1], std::to_string(i));
  world_.run_for(1s);
  EXPECT_EQ(page.bytes.use_count(), 1);
}

TEST_F(ChannelPair, ABundleEndsWithItsView) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  const Owned page(4096);
  b_->then = [&](NodeId) {
    if (b_->got.size() == 10) b_->channels.set_view(view_of(2));
  };
  for (int i = 0; i < 100; ++i) a_->send(kB, std::to_string(i), page.data());
  world_.run_for(100ms);
  EXPECT_EQ(b_->got.size(), 10u) << "the rest is of an older view";
  EXPECT_GE(b_->channels.stats().old, 90u);
  // And one that comes too soon waits for its own.
  a_->set_view(view_of(3));
  for (int i = 0; i < 100; ++i) a_->send(kB, std::to_string(i), page.data());
  a_->set_view(view_of(4));  // Before the turn's end: it never leaves.
  for (int i = 0; i < 50; ++i) a_->send(kB, "x" + std::to_string(i), page.data());
  world_.run_for(10ms);
  EXPECT_EQ(b_->got.size(), 10u);
  b_->set_view(view_of(4));
  EXPECT_TRUE(comes_to_rest());
  ASSERT_EQ(b_->got.size(), 60u);
  EXPECT_EQ(b_->got.back(), "x49");
}

TEST_F(ChannelPair, AMessageIsAcknowledgedSoonAndManyAtOnce) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  a_->send(kB, "connects");
  EXPECT_TRUE(comes_to_rest());
  a_->send(kB, "alone");
  EXPECT_TRUE(runs_until([&] { return a_->channels.unacknowledged() == 0; }, 5ms));
  for (int i = 0; i < 128; ++i) a_->send(kB, "one of many");
  EXPECT_TRUE(runs_until([&] { return a_->channels.unacknowledged() == 0; }, 500us));
  EXPECT_LE(b_->channels.stats().acks, 3u);
  EXPECT_EQ(a_->channels.stats().probes, 0u);
}

TEST_F(ChannelPair, NoMoreThanTheWindowIsOnItsWay) {
  open({.window_messages = 10, .window_bytes = 10'000});
  a_->set_view(view_of(1));  // And not b, which holds what comes.
  for (int i = 0; i < 100; ++i) a_->send(kB, "message");
  world_.run_for(1s);
  EXPECT_EQ(b_->channels.stats().later, 10u);
  b_->set_view(view_of(1));
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(b_->got.size(), 100u);
  // Longer than the window: one is always let go.
  for (int i = 0; i < 5; ++i) a_->send(kB, "long", Owned(50'000).data());
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(b_->got.size(), 105u);
}

TEST_F(ChannelPair, NothingOfAnOlderViewIsDelivered) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  const Owned large(1 << 20);
  for (int i = 0; i < 20; ++i) a_->send(kB, "old", large.data());
  a_->set_view(view_of(2));
  a_->send(kB, "new");
  b_->set_view(view_of(2));
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(b_->got, std::vector<std::string>{"new"});
  world_.run_for(1s);
  EXPECT_EQ(large.bytes.use_count(), 1);
}

TEST_F(ChannelPair, WhatComesBeforeItsViewWaitsForIt) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  a_->set_view(view_of(3));
  for (int i = 0; i < 5; ++i) a_->send(kB, std::to_string(i), Owned(i * 5000).data());
  world_.run_for(300ms);
  EXPECT_TRUE(b_->got.empty());
  b_->set_view(view_of(3));
  EXPECT_TRUE(b_->got.empty());
  EXPECT_TRUE(runs_until([&] { return b_->got.size() == 5; }, 2ms));
  EXPECT_EQ(b_->got, (std::vector<std::string>{"0", "1", "2", "3", "4"}));
  EXPECT_EQ(a_->channels.stats().resent, 0u);
}

TEST_F(ChannelPair, WhatDidNotFitBeforeItsViewIsSentAgainSoon) {
  open({.later_messages = 2});
  b_->set_view(view_of(1));
  a_->set_view(view_of(2));
  for (int i = 0; i < 50; ++i) a_->send(kB, std::to_string(i));
  world_.run_for(3s);  // By now it asks twice a second.
  EXPECT_EQ(b_->channels.stats().later, 2u);
  EXPECT_EQ(b_->channels.stats().later_dropped, 48u);
  b_->set_view(view_of(2));
  EXPECT_TRUE(runs_until([&] { return b_->got.size() == 50; }, 20ms));
  EXPECT_EQ(a_->channels.stats().resent, 48u);
}

TEST_F(ChannelPair, TheSinkMayEnterAViewAndSend) {
  open();
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  b_->then = [&](NodeId) {
    if (b_->channels.epoch() != Epoch{1}) return;
    b_->channels.set_view(view_of(2));
    b_->channels.send(kA, bytes_of("answer"));
  };
  for (int i = 0; i < 20; ++i) a_->send(kB, std::to_string(i));
  world_.run_for(100ms);
  EXPECT_EQ(b_->got.size(), 1u);
  a_->set_view(view_of(2));
  a_->send(kB, "of the new view");
  EXPECT_TRUE(comes_to_rest());
  EXPECT_EQ(a_->got, std::vector<std::string>{"answer"});
  EXPECT_EQ(b_->got, (std::vector<std::string>{"0", "of the new view"}));
}

TEST_F(ChannelPair, WhoIsNoMemberSendsToNobodyAndIsSentNothing) {
  open();
  a_->send(kB, "before any view");
  a_->set_view(view_of(1));
  b_->set_view(view_of(1));
  a_->set_view(view_of(2, {1}));
  a_->send(kB, "to nobody");
  EXPECT_EQ(a_->channels.unacknowledged(), 0u);
  a_->set_view(view_of(3, {2, 1}));  // Another life of a itself.
  a_->send(kB, "of nobody");
  a_->send(kA, "of nobody");
  world_.run_for(100ms);
  EXPECT_EQ(a_->channels.stats().not_members, 4u);
  EXPECT_EQ(a_->channels.stats().sent, 0u);
  EXPECT_TRUE(a_->got.empty() && b_->got.empty());
}

// The frames as docs/design/kddm.md has them.
struct RawFrame {
  std::uint64_t seq = 0;
  std::uint64_t ack = 0;
  std::uint32_t epoch = 1;
  std::uint32_t head = 0;
};
struct Raw {
  std::array<std::byte, 24> header{};
  std::array<std::byte, 4> rest{};
  static void wire_fields(auto& m, auto&& visit) { visit(m.header, m.rest); }
};
struct Question {
  std::array<std::byte, 24> header{};
  static void wire_fields(auto& m, auto&& visit) { visit(m.header); }
};
struct Short {
  std::uint64_t seq = 1;
  static void wire_fields(auto& m, auto&& visit) { visit(m.seq); }
};
struct RawReceipt {
  Epoch epoch;
  std::uint64_t received = 0;
  std::vector<std::uint64_t> held;
  static void wire_fields(auto& m, auto&& visit) { visit(m.epoch, m.received, m.held); }
};
template <class T>
struct Message {
  static constexpr ServiceId kId{0x40};
  static constexpr const char* kName = "channel.message";
  using Request = T;
  using Reply = wire::Empty;
};
template <class T>
struct Ask {
  static constexpr ServiceId kId{0x41};
  static constexpr const char* kName = "channel.ask";
  using Request = T;
  using Reply = RawReceipt;
};

Raw raw(const RawFrame& frame, const char (&rest)[5]) {
  Raw bytes;
  std::memcpy(bytes.header.data(), &frame, sizeof frame);
  std::memcpy(bytes.rest.data(), rest, 4);
  return bytes;
}

struct RawBundleEntry {
  std::uint32_t head = 0;
  std::uint32_t data = 0;
};
struct RawBundle {
  static constexpr ServiceId kId{0x42};
  static constexpr const char* kName = "channel.bundle";
  using Request = Question;
  using Reply = RawReceipt;
};
// Its bulk data: the entries, a head of "h" for each byte, and data of 7.
std::vector<std::byte> bundle_of(const std::vector<RawBundleEntry>& entries) {
  std::vector<std::byte> bytes(entries.size() * sizeof(RawBundleEntry));
  std::memcpy(bytes.data(), entries.data(), bytes.size());
  std::size_t data = 0;
  for (const RawBundleEntry& entry : entries) {
    bytes.insert(bytes.end(), std::min<std::size_t>(entry.head, 4096), std::byte{'h'});
    data += std::min<std::size_t>(entry.data, 100'000);
  }
  bytes.resize((bytes.size() + 63) / 64 * 64);
  bytes.insert(bytes.end(), data, std::byte{7});
  return bytes;
}

// Node a has channels; node b is bare rpc, incarnation 1.
class BarePeer : public ChannelPair {
 protected:
  BarePeer() {
    log::set_level(log::Level::off);
    a_.emplace(world_, kA);
    bare_.emplace(world_, rpc::RpcOptions{.self = {kB, Incarnation{1}}});
    a_->set_view(view_of(5));
  }
  ~BarePeer() override { log::set_level(log::Level::warn); }

  void notify(RawFrame frame, const char (&rest)[5] = "hhdd") {
    const Raw bytes = raw(frame, rest);
    EXPECT_TRUE(bare_->rpc().notify<Message<Raw>>(kA, bytes));
    world_.wake(kB);
    world_.run_for(5ms);
  }
  // What the call's answer was; the error is noted.
  template <class T>
  std::optional<RawReceipt> ask(const T& bytes, std::size_t data) {
    std::optional<Result<rpc::WithData<RawReceipt>>> reply;
    world_.reactor(kB).spawn(call(bytes, data, reply));
    EXPECT_TRUE(runs_until([&] { return reply.has_value(); }));
    if (!reply || !*reply) return std::nullopt;
    return (*reply)->reply;
  }
  std::optional<RawReceipt> send_bundle(const RawFrame& frame, std::vector<std::byte> bulk) {
    Question header;
    std::memcpy(header.header.data(), &frame, sizeof frame);
    std::optional<Result<rpc::WithData<RawReceipt>>> reply;
    world_.reactor(kB).spawn(call_bundle(header, bulk, reply));
    EXPECT_TRUE(runs_until([&] { return reply.has_value(); }));
    if (!reply || !*reply) return std::nullopt;
    return (*reply)->reply;
  }
  const kddm::ChannelStats& stats() { return a_->channels.stats(); }

  std::optional<RpcEnd> bare_;

 private:
  Co<void> call_bundle(const Question& header, const std::vector<std::byte>& bytes,
                       std::optional<Result<rpc::WithData<RawReceipt>>>& reply) {
    rpc::Bulk bulk;
    if (!bytes.empty()) {
      bulk.attach = bare_->rpc().buffers().take(bytes.size());
      std::memcpy(bulk.attach.bytes().data(), bytes.data(), bytes.size());
    }
    reply = co_await bare_->rpc().call_data<RawBundle>(
        kA, header, {.deadline = bare_->rpc().reactor().after(5s)}, std::move(bulk));
  }
  template <class T>
  Co<void> call(const T& bytes, std::size_t data,
                std::optional<Result<rpc::WithData<RawReceipt>>>& reply) {
    rpc::Bulk bulk;
    if (data != 0) bulk.attach = bare_->rpc().buffers().take(data);
    std::fill(bulk.attach.bytes().begin(), bulk.attach.bytes().end(), std::byte{7});
    reply = co_await bare_->rpc().call_data<Ask<T>>(
        kA, bytes, {.deadline = bare_->rpc().reactor().after(5s)}, std::move(bulk));
  }
};

TEST_F(BarePeer, RepetitionsAreDroppedAndAcknowledgedAgain) {
  for (int i = 0; i < 3; ++i) notify({.seq = 1, .epoch = 5, .head = 4});
  EXPECT_EQ(a_->got, std::vector<std::string>{"hhdd"});
  EXPECT_EQ(stats().duplicates, 2u);
  EXPECT_EQ(stats().acks, 3u);
  for (int i = 0; i < 3; ++i) notify({.seq = 3, .epoch = 5, .head = 4});
  EXPECT_EQ(a_->got.size(), 1u);
  EXPECT_EQ(stats().duplicates, 4u);
  EXPECT_EQ(stats().early, 1u);
  notify({.seq = 2, .epoch = 5, .head = 4});
  EXPECT_EQ(a_->got.size(), 3u);
}

TEST_F(BarePeer, AQuestionIsAnsweredWithWhatIsHeld) {
  for (const std::uint64_t seq : {1u, 2u, 4u, 5u, 70u, 1002u}) {
    notify({.seq = seq, .epoch = 5, .head = 4});
  }
  Question question;
  const RawFrame frame{.epoch = 5};
  std::memcpy(question.header.data(), &frame, sizeof frame);
  const auto receipt = ask(question, 0);
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->epoch, Epoch{5});
  EXPECT_EQ(receipt->received, 2u);
  // Bit 0 is message 3; 1002 is the last of the window.
  ASSERT_EQ(receipt->held.size(), 16u);
  EXPECT_EQ(receipt->held[0], 0b110u);
  EXPECT_EQ(receipt->held[1], 1u << (70 - 3 - 64));
  EXPECT_EQ(receipt->held[15], std::uint64_t{1} << (1002 - 3 - 15 * 64));
}

TEST_F(BarePeer, OtherViewsAndLivesAreDropped) {
  notify({.seq = 1, .epoch = 4, .head = 4});
  EXPECT_EQ(stats().old, 1u);
  notify({.seq = 1, .epoch = 6, .head = 4});
  EXPECT_EQ(stats().later, 1u);
  a_->set_view(view_of(7, {1, 2}));
  notify({.seq = 1, .epoch = 7, .head = 4});
  EXPECT_EQ(stats().strangers, 1u);
  EXPECT_TRUE(a_->got.empty());
  EXPECT_EQ(stats().malformed, 0u);
}

TEST_F(BarePeer, WhatIsFarAheadIsDropped) {
  notify({.seq = 1001, .epoch = 5, .head = 4});
  EXPECT_EQ(stats().beyond, 1u);
  notify({.seq = ~std::uint64_t{0}, .epoch = 5, .head = 4});
  EXPECT_EQ(stats().beyond, 2u);
  EXPECT_TRUE(a_->got.empty());
}

TEST_F(BarePeer, ABundlesMessagesAreTakenOneByOne) {
  const std::vector<RawBundleEntry> three{{3, 5000}, {1, 0}, {0, 2000}};
  // Messages 2 ... 4 come before 1.
  auto receipt = send_bundle({.seq = 2, .epoch = 5, .head = 3}, bundle_of(three));
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->received, 0u);
  EXPECT_EQ(stats().early, 3u);
  notify({.seq = 1, .epoch = 5, .head = 4});
  EXPECT_EQ(a_->got, (std::vector<std::string>{"hhdd", "hhh", "h", ""}));
  EXPECT_EQ(a_->sizes, (std::vector<std::size_t>{0, 5000, 0, 2000}));
  // The last of those again, and two new ones.
  receipt = send_bundle({.seq = 4, .epoch = 5, .head = 3}, bundle_of(three));
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->received, 6u);
  EXPECT_EQ(stats().duplicates, 1u);
  EXPECT_EQ(a_->got.size(), 6u);
  EXPECT_EQ(stats().malformed, 0u);
}

TEST_F(BarePeer, MalformedBundlesAreCountedAndDropped) {
  const std::vector<RawBundleEntry> two{{3, 5000}, {1, 4000}};
  const RawFrame good{.seq = 1, .epoch = 5, .head = 2};
  std::uint64_t bad = 0;
  const auto refuses = [&](const RawFrame& frame, const std::vector<std::byte>& bulk) {
    EXPECT_FALSE(send_bundle(frame, bulk).has_value());
    EXPECT_EQ(stats().malformed, ++bad);
    EXPECT_TRUE(a_->got.empty());
  };
  refuses(good, {});
  refuses({.seq = 0, .epoch = 5, .head = 2}, bundle_of(two));
  refuses({.seq = 1, .epoch = 5, .head = 0}, bundle_of(two));
  refuses({.seq = 1, .epoch = 5, .head = 513}, bundle_of(two));
  refuses({.seq = 1, .epoch = 5, .head = ~0u}, bundle_of(two));
  refuses({.seq = 1, .ack = 1, .epoch = 5, .head = 2}, bundle_of(two));  // Nothing was sent.
  refuses({.seq = 1, .epoch = 5, .head = 1}, bundle_of(two));            // More bytes,
  refuses({.seq = 1, .epoch = 5, .head = 3}, bundle_of(two));            // or fewer.
  refuses(good, bundle_of({{2049, 5000}, {1, 4000}}));
  refuses(good, bundle_of({{3, 65537}, {1, 4000}}));
  refuses(good, bundle_of({{3, 5000}, {~0u, 4000}}));
  refuses(good, bundle_of({{3, 5000}, {1, ~0u}}));
  auto longer = bundle_of(two);
  longer.push_back(std::byte{7});
  refuses(good, longer);
  refuses({.seq = 1, .epoch = 5, .head = 512}, std::vector<std::byte>((1 << 20) + 64));
  ASSERT_TRUE(send_bundle(good, bundle_of(two)).has_value());
  EXPECT_EQ(a_->got, (std::vector<std::string>{"hhh", "h"}));
}

TEST_F(BarePeer, MalformedFramesAreCountedAndDropped) {
  const Short few;
  EXPECT_TRUE(bare_->rpc().notify<Message<Short>>(kA, few));
  notify({.seq = 1, .epoch = 5, .head = 5});            // More head than bytes.
  notify({.seq = 1, .epoch = 5, .head = ~0u});          // The same.
  notify({.seq = 0, .epoch = 5, .head = 4});            // An acknowledgement with a head,
  notify({.seq = 0, .epoch = 5, .head = 0});            // or with data.
  notify({.seq = 1, .ack = 1, .epoch = 5, .head = 4});  // Nothing was sent.
  EXPECT_EQ(stats().malformed, 6u);
  EXPECT_FALSE(ask(raw({.seq = 1, .epoch = 5, .head = 4}, "head"), 0).has_value());
  EXPECT_FALSE(ask(raw({.seq = 1, .epoch = 5, .head = 2}, "hedd"), 100).has_value());
  EXPECT_FALSE(ask(raw({.seq = 0, .epoch = 5, .head = 4}, "head"), 0).has_value());
  EXPECT_FALSE(ask(raw({.seq = 0, .epoch = 5, .head = 0}, "data"), 100).has_value());
  EXPECT_EQ(stats().malformed, 10u);
  EXPECT_TRUE(a_->got.empty());
  // And the peer is not lost by it.
  const auto receipt = ask(raw({.seq = 1, .epoch = 5, .head = 4}, "head"), 100);
  ASSERT_TRUE(receipt.has_value());
  EXPECT_EQ(receipt->received, 1u);
  EXPECT_EQ(a_->got, std::vector<std::string>{"head"});
}

}  // namespace
}  // namespace krg::cluster_test

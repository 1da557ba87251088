// Two nodes over the simulated fabric: both with channels, or one with bare rpc, which speaks the
// frames of docs/design/kddm.md byte by byte.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <array>

#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "krg/channel/channels.h"
#include "krg/log/log.h"
#include "rpc_end.h"

namespace krg::cluster_test {
using namespace std::chrono_literals;

inline constexpr NodeId kA{0}, kB{1};

inline wire::Bytes bytes_of(const std::string& text) {
  return {reinterpret_cast<const std::byte*>(text.data()), text.size()};
}

inline cluster::View view_of(std::uint32_t epoch,
                             std::vector<std::uint32_t> incarnations = {1, 1}) {
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

inline Raw raw(const RawFrame& frame, const char (&rest)[5]) {
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
inline std::vector<std::byte> bundle_of(const std::vector<RawBundleEntry>& entries) {
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

}  // namespace krg::cluster_test

// What the log must never do, message by message. Its life among many is tests/cluster/hotplug's.
#include "krg/agreement/log.h"

#include <gtest/gtest.h>

#include <array>
#include <cstring>
#include <deque>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace krg::agreement {
namespace {

using std::chrono::milliseconds;

constexpr std::uint32_t kServers = 3;

class Network {
 public:
  Network() {
    std::vector<ServerId> voters;
    for (std::uint32_t i = 0; i < kServers; ++i) voters.push_back(id(i));
    for (std::uint32_t i = 0; i < kServers; ++i) {
      servers_[i] = std::make_unique<Server>(*this, i);
      EXPECT_TRUE(servers_[i]->log.start(voters));
    }
  }

  static ServerId id(std::uint32_t i) { return server_of(NodeId{i}, Incarnation{1}); }
  Log& log(std::uint32_t i) { return servers_[i]->log; }
  const std::vector<std::string>& applied(std::uint32_t i) const { return servers_[i]->applied; }
  TimePoint now() const { return now_; }
  Status propose(std::uint32_t i, const std::string& command) {
    return log(i).propose(std::as_bytes(std::span(command)), now_);
  }

  // Delivers what is under way, and what follows from it. Others are lost.
  void deliver(const std::function<bool(std::uint32_t from, std::uint32_t to)>& passes) {
    while (!parcels_.empty()) {
      const Parcel parcel = std::move(parcels_.front());
      parcels_.pop_front();
      if (passes(parcel.from, parcel.to))
        log(parcel.to).receive(id(parcel.from), parcel.bytes, now_);
    }
  }
  // One round of them: the answers stay under way.
  void deliver_once(const std::function<bool(std::uint32_t from, std::uint32_t to)>& passes) {
    std::deque<Parcel> parcels = std::move(parcels_);
    parcels_.clear();
    for (const Parcel& parcel : parcels) {
      if (passes(parcel.from, parcel.to))
        log(parcel.to).receive(id(parcel.from), parcel.bytes, now_);
    }
  }
  void pass(Duration time) {
    for (const TimePoint end = now_ + time; now_ < end;) {
      now_ = now_ + milliseconds(50);
      for (const auto& server : servers_) server->log.tick(now_);
      deliver([](std::uint32_t, std::uint32_t) { return true; });
    }
  }

 private:
  struct Parcel {
    std::uint32_t from, to;
    std::vector<std::byte> bytes;
  };
  struct Server final : LogSink {
    Server(Network& n, std::uint32_t i) : net(n), index(i), log(id(i), {}, *this, n.now_) {}
    void send(ServerId to, wire::Bytes message) override {
      net.parcels_.push_back({index, node_of(to).value, {message.begin(), message.end()}});
    }
    void apply(wire::Bytes command) override {
      applied.emplace_back(reinterpret_cast<const char*>(command.data()), command.size());
    }
    std::uint64_t random() override { return ++randoms; }

    Network& net;
    const std::uint32_t index;
    std::uint64_t randoms = index;
    std::vector<std::string> applied;
    Log log;
  };

  TimePoint now_{std::chrono::seconds(1)};
  std::deque<Parcel> parcels_;
  std::array<std::unique_ptr<Server>, kServers> servers_;
};

bool all(std::uint32_t, std::uint32_t) { return true; }
bool none(std::uint32_t, std::uint32_t) { return false; }

TEST(Log, AgreesAndTellsAllInOneOrder) {
  Network net;
  net.log(0).stand(net.now());
  net.deliver(all);
  ASSERT_TRUE(net.log(0).is_leader());
  ASSERT_TRUE(net.propose(0, "a"));
  ASSERT_TRUE(net.propose(0, "b"));
  net.pass(milliseconds(500));
  for (std::uint32_t i = 0; i < kServers; ++i) {
    EXPECT_EQ(net.applied(i), (std::vector<std::string>{"a", "b"})) << i;
  }
}

// Goal    what an old leader has alone is not counted as what the new one has written in its place.
// Method  the old leader's last entry reaches nobody; it answers the new one's heartbeat, and
//         nothing else gets through. Nothing of the new leader may be agreed: it has it alone.
TEST(Log, WhatIsLeftOfAnEarlierLeaderCountsForNobody) {
  Network net;
  net.log(0).stand(net.now());
  net.deliver(all);
  ASSERT_TRUE(net.propose(0, "a"));
  net.pass(milliseconds(500));
  ASSERT_TRUE(net.propose(0, "of the old leader"));
  net.deliver(none);

  net.log(1).take_over(net.now());
  for (int round = 0; round < 4 && !net.log(1).is_leader(); ++round) net.deliver_once(all);
  ASSERT_TRUE(net.log(1).is_leader());
  ASSERT_TRUE(net.propose(1, "of the new leader"));
  // The heartbeats that it has sent as it was elected, and the old leader's answers.
  const auto to_old = [](std::uint32_t from, std::uint32_t to) { return from == 1 && to == 0; };
  const auto to_new = [](std::uint32_t from, std::uint32_t to) { return from == 0 && to == 1; };
  net.deliver_once(to_old);
  net.deliver_once(to_new);
  net.deliver(none);
  EXPECT_EQ(net.applied(1), std::vector<std::string>{"a"});

  net.pass(milliseconds(3000));
  for (std::uint32_t i = 0; i < kServers; ++i) {
    ASSERT_FALSE(net.applied(i).empty());
    EXPECT_EQ(net.applied(i), net.applied(0)) << i;
    EXPECT_EQ(net.applied(i).back(), "of the new leader") << i;
  }
}

}  // namespace
}  // namespace krg::agreement

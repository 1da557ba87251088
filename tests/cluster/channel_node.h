// A node of the channels' simulation: sends at random, and checks what it is given against what the
// others have sent.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "krg/channel/channels.h"
#include "rpc_end.h"

namespace krg::cluster_test {

struct ChannelLife {
  NodeId node;
  Incarnation incarnation;
  auto operator<=>(const ChannelLife&) const = default;
};

// What all nodes and all their lives have sent and were given, and what was wrong with it.
struct ChannelLedger {
  struct Way {
    ChannelLife from, to;
    Epoch epoch;
    auto operator<=>(const Way&) const = default;
  };
  struct Count {
    std::uint64_t sent = 0;
    std::uint64_t delivered = 0;
  };

  std::vector<cluster::View> views;  // All that were agreed, by epoch from 1.
  std::map<Way, Count> ways;
  std::uint64_t owners = 0;  // Of shared data, that are alive.
  bool quiet = false;        // Nobody sends.
  bool views_wait = false;   // Nobody enters a view by itself.
  std::string complaint;     // The first thing that was wrong.

  void complain(std::string what) {
    if (complaint.empty()) complaint = std::move(what);
  }
};

class ChannelNode final : private kddm::ChannelSink {
 public:
  ChannelNode(sim::World& world, ChannelLedger& ledger, ChannelLife life,
              const kddm::ChannelOptions& options);
  // Its end requires that it is killed, or that the world runs no more.

  kddm::Channels& channels() noexcept { return channels_; }
  rpc::Rpc& rpc() noexcept { return end_.rpc(); }
  const ChannelLife& life() const noexcept { return life_; }
  // Enters a view that is newer than its own.
  void enter(const cluster::View& view);
  // Gives back the data that it has kept.
  void forget() noexcept { kept_.clear(); }
  // The first thing that is left over at rest; empty if nothing is.
  std::string left_over();

 private:
  void on_message(NodeId from, Epoch epoch, wire::Bytes head, kddm::Arrived data) override;
  Co<void> talk();
  Co<void> follow_views();
  void send_one(NodeId to, bool page = false);
  kddm::Data make_data(std::size_t size, std::uint64_t salt, std::vector<std::byte>& room);
  void enter_newest(bool maybe_skip);

  sim::World& world_;
  ChannelLedger& ledger_;
  const ChannelLife life_;
  RpcEnd end_;
  std::vector<rpc::Buffer> kept_;  // Of its pool.
  kddm::Channels channels_;
  const cluster::View* view_ = nullptr;
  bool inside_ = false;  // A call of ours to the channels, or of theirs to us.
};

}  // namespace krg::cluster_test

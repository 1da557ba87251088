// channels_impl.h: what is behind Channels.
#pragma once

#include <memory>
#include <vector>

#include "frame.h"
#include "krg/channel/channels.h"
#include "krg/fabric/endpoint.h"
#include "krg/reactor/reactor.h"
#include "peer.h"

namespace krg::kddm {

class Channels::Impl final : public reactor::Poller, private reactor::Timer {
 public:
  Impl(rpc::Rpc& rpc, ChannelSink& sink, const ChannelOptions& options);
  ~Impl() override;

  void set_view(const cluster::View& view);
  void send(NodeId to, wire::Bytes head, Data& data);
  std::size_t unacknowledged() const noexcept;
  Epoch epoch() const noexcept { return epoch_; }
  const ChannelStats& stats() const noexcept { return stats_; }

  // Poller: what is to be done in a turn of its own.
  bool poll() noexcept override;
  bool flush() noexcept override;
  bool arm() noexcept override;

  void transfer_ended(Transfer& transfer) noexcept { ended_.push_back(transfer); }
  // Acknowledgements of this peer may be missing.
  void look_after(ChannelPeer& peer);

 private:
  // A message of a view that is still to come, or has come since.
  struct LaterMessage {
    fabric::Identity from;
    FrameHeader header;
    std::vector<std::byte> head;
    rpc::Buffer data;
  };

  // The acknowledgements that have been owed for a while.
  void on_timer() noexcept override;

  // The peer that `node` is in the present view; nullptr: no member, or this node itself.
  ChannelPeer* find(NodeId node) const noexcept;
  ChannelPeer* find(const fabric::Identity& from) const noexcept;

  // Sending.
  void fill_window(ChannelPeer& peer);
  void transmit(ChannelPeer& peer, std::uint64_t seq, OutMessage& message);
  void send_gathered(ChannelPeer& peer);
  bool send_bundle(ChannelPeer& peer, std::uint64_t first, std::uint64_t last, std::size_t heads,
                   std::size_t data);
  bool acknowledged(ChannelPeer& peer, std::uint64_t ack);
  void send_ack(ChannelPeer& peer);
  FrameHeader header_for(ChannelPeer& peer, std::uint64_t seq, std::size_t head) noexcept;
  void expect_ack(ChannelPeer& peer);
  void lose_patience(ChannelPeer& peer);
  void ask(ChannelPeer& peer);
  void end(Transfer& transfer);
  void send_again(ChannelPeer& peer, const Receipt& receipt, std::uint64_t upto);

  // Receiving. False: malformed.
  bool take(const fabric::Identity& from, const FrameBytes& frame, rpc::Buffer* bulk);
  bool take_of_member(ChannelPeer& peer, const FrameBytes& frame, rpc::Buffer* bulk);
  bool take_unusual(ChannelPeer& peer, const FrameBytes& frame, rpc::Buffer* bulk);
  void take_of_other_view(const fabric::Identity& from, const FrameBytes& frame, rpc::Buffer* bulk);
  void take_early(ChannelPeer& peer, const FrameBytes& frame, rpc::Buffer* bulk);
  bool take_bundle(const fabric::Identity& from, const BundleBytes& bundle,
                   const rpc::Buffer& bulk);
  void deliver(ChannelPeer& peer, wire::Bytes head, Arrived data);
  void deliver_early(ChannelPeer& peer);
  bool deliver_own();
  bool deliver_later();
  bool copy(wire::Bytes bytes, rpc::Buffer& into);
  void owe_ack(ChannelPeer& peer);
  bool malformed(const fabric::Identity& from);
  Receipt receipt_for(const fabric::Identity& from, bool asked);

  rpc::Rpc& rpc_;
  reactor::Reactor& reactor_;
  ChannelSink& sink_;
  const ChannelOptions options_;
  const fabric::Identity self_;
  Epoch epoch_{0};
  bool member_ = false;  // This node, in this life, of the present view.
  bool complained_ = false;
  ChunkPool chunks_;
  std::vector<std::unique_ptr<ChannelPeer>> peers_;  // By node id.
  IntrusiveList<ChannelPeer, OwingTag> owing_;       // Perhaps owed an acknowledgement in a while,
  IntrusiveList<ChannelPeer, AckNowTag> ack_now_;    // or in this turn.
  IntrusiveList<ChannelPeer, GatheringTag> gathering_;  // With messages for the turn's end.
  IntrusiveList<Transfer, EndedTag> ended_;
  OutQueue own_{chunks_};            // To this node.
  std::vector<LaterMessage> later_;  // Of views to come.
  std::size_t later_bytes_ = 0;
  std::vector<LaterMessage> due_;    // Of the present view, to be delivered in the next poll.
  std::vector<NodeId> wait_for_me_;  // Nodes of views to come, of which something was dropped.
  EarlyMessage scratch_;
  ChannelStats stats_;
};

}  // namespace krg::kddm

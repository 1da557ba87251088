// transfer.h: a call that carries a large message or several, or asks what has come.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "frame.h"
#include "krg/base/intrusive_list.h"
#include "krg/channel/channels.h"
#include "krg/rpc/call.h"

namespace krg::kddm {

struct ChannelPeer;

// Made and started by a ChannelPeer, which owns it; after its end Channels::Impl looks at it in its
// next poll, and deletes it. It is no coroutine, because it has to go with the view.
class Transfer final : public rpc::CallBase,
                       public ListNode<struct TransferTag>,
                       public ListNode<struct EndedTag> {
 public:
  // A large message. The record is copied: the message may be acknowledged while rpc still keeps
  // the call waiting.
  Transfer(rpc::Rpc& rpc, ChannelPeer& peer, FrameHeader header, OutMessage& message,
           Deadline deadline);
  // The messages of `header`, as frame.h has them in `bulk`.
  Transfer(rpc::Rpc& rpc, ChannelPeer& peer, const BundleHeader& header, rpc::Buffer bulk,
           Deadline deadline);
  // A question about the messages up to `upto`.
  Transfer(rpc::Rpc& rpc, ChannelPeer& peer, FrameHeader header, std::uint64_t upto,
           Deadline deadline);

  void begin() noexcept { start(); }

  bool failed() const noexcept { return error_.code() != Errc::ok; }
  bool is_question() const noexcept { return seq_ == 0; }
  // The messages that it carries, or the last one that it asks about.
  std::uint64_t seq() const noexcept { return seq_; }
  std::uint64_t upto() const noexcept { return upto_; }
  const Receipt& receipt() const noexcept { return receipt_; }
  ChannelPeer& peer() const noexcept { return peer_; }

 private:
  rpc::Payload payload() const noexcept override { return rpc::Payload::of(frame_); }
  bool accept(wire::Bytes typed) noexcept override;
  void completed() noexcept override;

  ChannelPeer& peer_;
  std::vector<std::byte> record_;
  Frame frame_;
  std::uint64_t seq_ = 0;  // 0: a question.
  std::uint64_t upto_ = 0;
  Receipt receipt_;
};

}  // namespace krg::kddm

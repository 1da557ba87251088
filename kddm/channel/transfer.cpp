#include "transfer.h"

#include <chrono>

#include "channels_impl.h"

namespace krg::kddm {
namespace {

// rpc ends a call when its connection ends, which is what tells that a message may be lost. These
// are only for a peer that has forgotten to answer.
constexpr std::chrono::seconds kLargeLimit{60};
constexpr std::chrono::seconds kQuestionLimit{10};

void release_owner(void* owner, std::span<std::byte>) noexcept {
  delete static_cast<std::shared_ptr<const void>*>(owner);
}

// Lends the message's data to rpc, which only reads them.
rpc::Buffer lend(const OutMessage& message) {
  auto* const memory = const_cast<std::byte*>(message.data.data());
  return rpc::Buffer({memory, message.data.size()}, release_owner,
                     new std::shared_ptr<const void>(message.owner));
}

}  // namespace

Transfer::Transfer(rpc::Rpc& rpc, ChannelPeer& peer, FrameHeader header, const OutMessage& message)
    : CallBase(rpc, peer.node, AskService::kId, {.deadline = rpc.reactor().after(kLargeLimit)}),
      peer_(peer),
      head_(message.head.begin(), message.head.end()),
      frame_{{header, head_, {}, true}} {
  set_bulk(rpc::Bulk(lend(message)));
}

Transfer::Transfer(rpc::Rpc& rpc, ChannelPeer& peer, FrameHeader header, std::uint64_t upto)
    : CallBase(rpc, peer.node, AskService::kId, {.deadline = rpc.reactor().after(kQuestionLimit)}),
      peer_(peer),
      frame_{{header, {}, {}, true}},
      upto_(upto) {}

bool Transfer::accept(wire::Bytes typed) noexcept {
  wire::Decoder in{typed};
  wire::get(in, receipt_);
  return in.finished();
}

// May be called while the call is being started: so what follows from it comes later.
void Transfer::completed() noexcept { peer_.channels.transfer_ended(*this); }

}  // namespace krg::kddm

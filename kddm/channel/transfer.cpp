#include "transfer.h"

#include <cstring>

#include "channels_impl.h"

namespace krg::kddm {
namespace {

void release_owner(void* owner, std::span<std::byte>) noexcept {
  static_cast<DataOwner*>(owner)->let_go();
}

// Lends the message's data to rpc, which only reads them.
rpc::Buffer lend(const OutMessage& message) {
  auto* const memory = const_cast<std::byte*>(message.shared.data());
  message.owner.get()->keep();
  return rpc::Buffer({memory, message.shared.size()}, release_owner, message.owner.get());
}

}  // namespace

Transfer::Transfer(rpc::Rpc& rpc, ChannelPeer& peer, FrameHeader header, OutMessage& message,
                   Deadline deadline)
    : CallBase(rpc, peer.node, AskService::kId, {.deadline = deadline}),
      peer_(peer),
      seq_(header.seq),
      upto_(header.seq) {
  const wire::Bytes record = message.record_with(header);
  record_.assign(record.begin(), record.end());
  frame_.body.record = record_;
  set_bulk(rpc::Bulk(lend(message)));
}

Transfer::Transfer(rpc::Rpc& rpc, ChannelPeer& peer, const BundleHeader& header, rpc::Buffer bulk,
                   Deadline deadline)
    : CallBase(rpc, peer.node, BundleService::kId, {.deadline = deadline}),
      peer_(peer),
      record_(sizeof header),
      seq_(header.seq),
      upto_(header.seq + header.count - 1) {
  std::memcpy(record_.data(), &header, sizeof header);
  frame_.body.record = record_;
  set_bulk(rpc::Bulk(std::move(bulk)));
}

Transfer::Transfer(rpc::Rpc& rpc, ChannelPeer& peer, FrameHeader header, std::uint64_t upto,
                   Deadline deadline)
    : CallBase(rpc, peer.node, AskService::kId, {.deadline = deadline}),
      peer_(peer),
      record_(sizeof header),
      upto_(upto) {
  std::memcpy(record_.data(), &header, sizeof header);
  frame_.body.record = record_;
}

bool Transfer::accept(wire::Bytes typed) noexcept {
  wire::Decoder in{typed};
  wire::get(in, receipt_);
  return in.finished();
}

// May be called while the call is being started: so what follows from it comes later.
void Transfer::completed() noexcept { peer_.channels.transfer_ended(*this); }

}  // namespace krg::kddm

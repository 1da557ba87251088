// What comes off the wire. Nothing here trusts a number.
#include <algorithm>
#include <cstring>
#include <utility>

#include "channels_impl.h"
#include "krg/log/log.h"

namespace krg::kddm {

bool Channels::Impl::take(const fabric::Identity& from, const FrameBytes& frame,
                          rpc::Buffer* bulk) {
  const FrameHeader& header = frame.header;
  if (!frame.sound || header.head > kHeadMax) [[unlikely]] {
    return malformed(from);
  }
  if (header.epoch != epoch_.value || !member_) [[unlikely]] {
    take_of_other_view(from, frame, bulk);
    return true;
  }
  ChannelPeer* const peer = find(from);
  if (peer == nullptr) [[unlikely]] {
    ++stats_.strangers;
    return true;
  }
  return take_of_member(*peer, frame, bulk) || malformed(from);
}

bool Channels::Impl::take_of_member(ChannelPeer& peer, const FrameBytes& frame, rpc::Buffer* bulk) {
  const FrameHeader& header = frame.header;
  if (header.ack >= peer.out.first() && !acknowledged(peer, header.ack)) return false;
  if (header.seq != peer.received + 1 || bulk != nullptr) [[unlikely]] {
    return take_unusual(peer, frame, bulk);
  }
  // The next one, and small.
  deliver(peer, frame.head, Arrived(frame.data));
  return true;
}

bool Channels::Impl::take_unusual(ChannelPeer& peer, const FrameBytes& frame, rpc::Buffer* bulk) {
  const std::uint64_t seq = frame.header.seq;
  // A call carries its data as bulk, and a question has none.
  if (bulk != nullptr && (!frame.data.empty() || (seq == 0) != bulk->empty())) return false;
  if (seq == 0) {
    if (!frame.head.empty() || !frame.data.empty()) return false;
    if (bulk == nullptr) lose_patience(peer);
  } else if (seq <= peer.received) {
    ++stats_.duplicates;
    owe_ack(peer);  // Our acknowledgement may have been lost.
  } else if (seq != peer.received + 1) {
    take_early(peer, frame, bulk);
  } else {
    deliver(peer, frame.head, bulk == nullptr ? Arrived(frame.data) : Arrived(std::move(*bulk)));
  }
  return true;
}

// False: no memory.
bool Channels::Impl::copy(wire::Bytes bytes, rpc::Buffer& into) {
  if (bytes.empty()) return true;
  into = rpc_.buffers().take(bytes.size());
  if (into.size() != bytes.size()) return false;
  std::memcpy(into.bytes().data(), bytes.data(), bytes.size());
  return true;
}

void Channels::Impl::take_early(ChannelPeer& peer, const FrameBytes& frame, rpc::Buffer* bulk) {
  const std::uint64_t seq = frame.header.seq;
  if (peer.early.has(seq)) return void(++stats_.duplicates);
  const std::size_t size = frame.head.size() + (bulk != nullptr ? bulk->size() : frame.data.size());
  rpc::Buffer data;
  if (seq - peer.received > options_.window_messages ||
      peer.early.bytes() + size > options_.window_bytes ||
      (bulk == nullptr && !copy(frame.data, data))) {
    ++stats_.beyond;
    return;
  }
  if (bulk != nullptr) data = std::move(*bulk);
  ++stats_.early;
  peer.early.put(peer.received, seq, frame.head, std::move(data));
}

// Message `received` + 1, and those held that follow it. The sink may change the view.
void Channels::Impl::deliver(ChannelPeer& peer, wire::Bytes head, Arrived data) {
  const Epoch epoch = epoch_;
  ++peer.received;
  owe_ack(peer);
  ++stats_.delivered;
  sink_.on_message(peer.node, epoch, head, std::move(data));
  // A new view leaves nothing to be found here.
  while (!peer.early.empty() && peer.early.take(peer.received + 1, scratch_)) {
    ++peer.received;
    owe_ack(peer);
    ++stats_.delivered;
    sink_.on_message(peer.node, epoch, scratch_.head, Arrived(std::move(scratch_.data)));
  }
}

void Channels::Impl::owe_ack(ChannelPeer& peer) {
  if (++peer.owed == options_.ack_messages && !peer.ListNode<AckNowTag>::linked()) {
    ack_now_.push_back(peer);
  }
  if (peer.ListNode<OwingTag>::linked()) return;
  owing_.push_back(peer);
  if (!ListNode<reactor::TimerTag>::linked()) {
    reactor_.add_timer(*this, reactor_.after(options_.ack_delay));
  }
}

void Channels::Impl::take_of_other_view(const fabric::Identity& from, const FrameBytes& frame,
                                        rpc::Buffer* bulk) {
  const FrameHeader& header = frame.header;
  if (header.epoch <= epoch_.value) return void(++stats_.old);
  const auto wait = [&] {
    if (std::find(wait_for_me_.begin(), wait_for_me_.end(), from.node) == wait_for_me_.end()) {
      wait_for_me_.push_back(from.node);
    }
  };
  if (header.seq == 0) {
    if (bulk != nullptr) wait();
    return;
  }
  const std::size_t size = frame.head.size() + (bulk != nullptr ? bulk->size() : frame.data.size());
  rpc::Buffer data;
  if (later_.size() >= options_.later_messages || later_bytes_ + size > options_.later_bytes ||
      (bulk == nullptr && !copy(frame.data, data))) {
    ++stats_.later_dropped;
    return wait();
  }
  if (bulk != nullptr) data = std::move(*bulk);
  ++stats_.later;
  later_bytes_ += size;
  later_.push_back({from, header, {frame.head.begin(), frame.head.end()}, std::move(data)});
}

// They stand in the order of their arrival, so those of one node are in order but for what
// overtook; take() sorts that, and what has come since the view.
bool Channels::Impl::deliver_later() {
  std::vector<LaterMessage> due;
  due.swap(due_);
  for (LaterMessage& m : due) {
    const FrameBytes frame{m.header, m.head, {}, true, {}};
    if (m.data.empty()) {
      take(m.from, frame, nullptr);
    } else {
      take(m.from, frame, &m.data);
    }
  }
  return true;
}

// What was sent before this poll: what the sink sends has its turn later.
bool Channels::Impl::deliver_own() {
  const Epoch epoch = epoch_;
  for (std::size_t left = own_.size(); left > 0 && epoch_ == epoch; --left) {
    const OutMessage& message = own_.at(own_.first());
    ++stats_.delivered;
    sink_.on_message(self_.node, epoch, message.head(), Arrived(message.data()));
    if (epoch_ == epoch) own_.pop();
  }
  return true;
}

bool Channels::Impl::malformed(const fabric::Identity& from) {
  ++stats_.malformed;
  ChannelPeer* const peer = find(from);
  if (!std::exchange(peer != nullptr ? peer->complained : complained_, true)) {
    KRG_ERROR("peer {}: malformed message on its channel; dropped, as further ones will be",
              from.node.value);
  }
  return false;
}

Receipt Channels::Impl::receipt_for(const fabric::Identity& from, bool asked) {
  Receipt receipt{epoch_, 0, {}};
  if (ChannelPeer* const peer = find(from); peer != nullptr) {
    receipt.received = peer->received;
    peer->owed = 0;
    if (asked) receipt.held = peer->early.bitmap(peer->received);
  }
  return receipt;
}

}  // namespace krg::kddm

// From send() to the acknowledgement.
#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "channels_impl.h"
#include "krg/log/log.h"

namespace krg::kddm {

void Channels::Impl::send(NodeId to, wire::Bytes head, Data& data) {
  if (to == self_.node) {
    if (!member_) return void(++stats_.not_members);
    ++stats_.sent;
    own_.push(head, data);
    return;
  }
  ChannelPeer* const peer = find(to);
  if (peer == nullptr) [[unlikely]] {
    return void(++stats_.not_members);
  }
  ++stats_.sent;
  peer->out.push(head, data);
  fill_window(*peer);
}

// Sends what the window lets go; one message is always let go.
void Channels::Impl::fill_window(ChannelPeer& peer) {
  OutQueue& out = peer.out;
  while (peer.sent < out.last()) {
    const std::uint64_t next = peer.sent + 1;
    OutMessage& message = out.at(next);
    const std::size_t size = message.size();
    if (next >= out.first() + options_.window_messages) return;
    if (peer.in_flight != 0 && peer.in_flight + size > options_.window_bytes) return;
    peer.in_flight += size;
    peer.sent = next;
    if (peer.gathered_from == 0) {
      if (!message.gathers()) [[likely]] {
        transmit(peer, next, message);
        continue;
      }
      peer.gathered_from = next;
      gathering_.push_back(peer);
      expect_ack(peer);
    }
  }
}

FrameHeader Channels::Impl::header_for(ChannelPeer& peer, std::uint64_t seq,
                                       std::size_t head) noexcept {
  peer.owed = 0;
  return {seq, peer.received, epoch_.value, static_cast<std::uint32_t>(head)};
}

// Whatever becomes of it is found out later: from acknowledgements, or from a question.
void Channels::Impl::transmit(ChannelPeer& peer, std::uint64_t seq, OutMessage& message) {
  const FrameHeader header = header_for(peer, seq, message.head_size);
  expect_ack(peer);
  if (!message.large) [[likely]] {
    const Frame frame{{{}, {}, message.shared, true, message.record_with(header)}};
    (void)rpc_.notify<MessageService>(peer.node, frame);
    return;
  }
  ++stats_.large;
  message.on_its_way = true;
  auto* const transfer =
      new Transfer(rpc_, peer, header, message, reactor_.after(options_.large_limit));
  peer.transfers.push_back(*transfer);
  transfer->begin();
}

void Channels::Impl::send_ack(ChannelPeer& peer) {
  ++stats_.acks;
  std::array<std::byte, sizeof(FrameHeader)> record;
  const FrameHeader header = header_for(peer, 0, 0);
  std::memcpy(record.data(), &header, sizeof header);
  const Frame frame{{{}, {}, {}, true, record}};
  (void)rpc_.notify<MessageService>(peer.node, frame);
}

// The peer has all messages up to `ack`. False: it can not.
bool Channels::Impl::acknowledged(ChannelPeer& peer, std::uint64_t ack) {
  if (ack < peer.out.first()) return true;
  if (ack > peer.sent) return false;
  while (peer.out.first() <= ack) {
    peer.in_flight -= peer.out.at(peer.out.first()).size();
    peer.out.pop();
  }
  lose_patience(peer);
  fill_window(peer);
  return true;
}

// The peer is there, in this view: what it does not acknowledge is to be asked for soon.
void Channels::Impl::lose_patience(ChannelPeer& peer) {
  if (peer.patience == options_.probe_after) [[likely]] {
    return;
  }
  peer.patience = options_.probe_after;
  if (!peer.ListNode<reactor::TimerTag>::linked()) return;
  peer.ListNode<reactor::TimerTag>::unlink();
  if (!peer.out.empty()) expect_ack(peer);
}

// The timer runs as long as anything is not acknowledged; it is not set anew with each message, but
// looks what has changed since it last looked.
void Channels::Impl::expect_ack(ChannelPeer& peer) {
  if (peer.ListNode<reactor::TimerTag>::linked()) return;
  peer.first_at_look = peer.out.first();
  reactor_.add_timer(peer, reactor_.after(peer.patience));
}

void Channels::Impl::look_after(ChannelPeer& peer) {
  if (peer.out.empty() || peer.question != nullptr) return;
  // The end of a large message is told by its call.
  const bool progress = peer.first_at_look != peer.out.first();
  if (!progress && !peer.out.at(peer.out.first()).on_its_way) return ask(peer);
  expect_ack(peer);
}

// What is this peer missing? One question at a time; its end sets the timer again. It goes the way
// of the messages, so what the answer does not tell of those before it is lost.
void Channels::Impl::ask(ChannelPeer& peer) {
  send_gathered(peer);
  ++stats_.probes;
  peer.question = new Transfer(rpc_, peer, header_for(peer, 0, 0), peer.sent,
                               reactor_.after(options_.question_limit));
  peer.transfers.push_back(*peer.question);
  peer.question->begin();
}

void Channels::Impl::end(Transfer& ended) {
  const std::unique_ptr<Transfer> transfer(&ended);
  ChannelPeer& peer = transfer->peer();
  const bool question = transfer->is_question();
  if (question) {
    peer.question = nullptr;
    peer.patience = std::min(peer.patience * 2, options_.probe_max);
  } else {
    for (std::uint64_t seq = std::max(transfer->seq(), peer.out.first()); seq <= transfer->upto();
         ++seq) {
      peer.out.at(seq).on_its_way = false;
    }
  }
  const Receipt& receipt = transfer->receipt();
  if (!transfer->failed() && receipt.epoch == epoch_) {
    if (!acknowledged(peer, receipt.received)) {
      malformed({peer.node, peer.incarnation});
    } else if (question) {
      send_again(peer, receipt, transfer->upto());
    }
  }
  if (!peer.out.empty() && peer.question == nullptr) expect_ack(peer);
}

void Channels::Impl::send_again(ChannelPeer& peer, const Receipt& receipt, std::uint64_t upto) {
  const auto held = [&receipt](std::uint64_t seq) {
    const std::uint64_t i = seq - receipt.received - 1;
    return i / 64 < receipt.held.size() && (receipt.held[i / 64] >> (i % 64) & 1) != 0;
  };
  // From the receipt on: a later acknowledgement may have overtaken it.
  for (std::uint64_t seq = std::max(peer.out.first(), receipt.received + 1); seq <= upto; ++seq) {
    if (held(seq) || peer.out.at(seq).on_its_way) continue;
    ++stats_.resent;
    transmit(peer, seq, peer.out.at(seq));
  }
}

}  // namespace krg::kddm

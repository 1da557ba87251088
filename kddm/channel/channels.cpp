// Views, and what is done once in a turn.
#include "krg/channel/channels.h"

#include <algorithm>
#include <utility>

#include "channels_impl.h"
#include "krg/log/log.h"

namespace krg::kddm {

Channels::Channels(rpc::Rpc& rpc, ChannelSink& sink, ChannelOptions options)
    : impl_(std::make_unique<Impl>(rpc, sink, options)) {}

Channels::~Channels() = default;

void Channels::set_view(const cluster::View& view) { impl_->set_view(view); }

Epoch Channels::epoch() const noexcept { return impl_->epoch(); }

void Channels::send(NodeId to, wire::Bytes head, Data data) { impl_->send(to, head, data); }

std::size_t Channels::unacknowledged() const noexcept { return impl_->unacknowledged(); }

const ChannelStats& Channels::stats() const noexcept { return impl_->stats(); }

void ChannelPeer::on_timer() noexcept { channels.look_after(*this); }

void ChannelPeer::drop_transfers() noexcept {
  question = nullptr;
  while (!transfers.empty()) delete &transfers.front();
}

void ChannelPeer::reset() noexcept {
  ListNode<reactor::TimerTag>::unlink();
  ListNode<OwingTag>::unlink();
  ListNode<AckNowTag>::unlink();
  ListNode<GatheringTag>::unlink();
  drop_transfers();
  out.clear();
  early.clear();
  sent = received = gathered_from = 0;
  in_flight = 0;
  owed = 0;
  complained = false;
}

Channels::Impl::Impl(rpc::Rpc& rpc, ChannelSink& sink, const ChannelOptions& options)
    : rpc_(rpc), reactor_(rpc.reactor()), sink_(sink), options_(options), self_(rpc.self()) {
  rpc.serve<MessageService>([this](rpc::Incoming& in, Frame& frame) -> Result<wire::Empty> {
    take(in.caller(), frame.body, nullptr);
    return wire::Empty{};
  });
  rpc.serve<AskService>([this](rpc::Incoming& in, Frame& frame) -> Result<Receipt> {
    if (!take(in.caller(), frame.body, &in.attachment())) return Error(Errc::protocol_error);
    return receipt_for(in.caller(), frame.body.header.seq == 0);
  });
  rpc.serve<BundleService>([this](rpc::Incoming& in, Bundle& bundle) -> Result<Receipt> {
    if (!take_bundle(in.caller(), bundle.body, in.attachment())) return Error(Errc::protocol_error);
    return receipt_for(in.caller(), false);
  });
  reactor_.add_poller(*this);
}

Channels::Impl::~Impl() { reactor_.remove_poller(*this); }

void Channels::Impl::set_view(const cluster::View& view) {
  KRG_ASSERT(view.epoch > epoch_);
  epoch_ = view.epoch;
  complained_ = false;
  for (const auto& peer : peers_) {
    if (peer == nullptr) continue;
    peer->reset();
    peer->member = false;
  }
  own_.clear();
  const cluster::Member* const me = view.find(self_.node);
  member_ = me != nullptr && me->incarnation == self_.incarnation;
  for (const cluster::Member& m : view.members) {
    if (!member_ || m.node == self_.node) continue;
    if (m.node.value >= peers_.size()) peers_.resize(m.node.value + std::size_t{1});
    auto& peer = peers_[m.node.value];
    if (peer == nullptr) peer = std::make_unique<ChannelPeer>(*this, m.node, chunks_);
    peer->incarnation = m.incarnation;
    peer->member = true;
    peer->patience = options_.probe_after;
  }
  // What was held for this view comes in the next poll, what was held for one before it never.
  due_.clear();
  for (LaterMessage& message : later_) {
    if (message.header.epoch == epoch_.value) due_.push_back(std::move(message));
  }
  std::erase_if(later_, [this](const LaterMessage& m) { return m.header.epoch <= epoch_.value; });
  later_bytes_ = 0;
  for (const LaterMessage& m : later_) later_bytes_ += m.head.size() + m.data.size();
  // Their questions were answered with an older epoch: now they may ask again.
  for (const NodeId node : std::exchange(wait_for_me_, {})) {
    if (ChannelPeer* const peer = find(node); peer != nullptr) owe_ack(*peer);
  }
}

ChannelPeer* Channels::Impl::find(NodeId node) const noexcept {
  if (node.value >= peers_.size()) return nullptr;
  ChannelPeer* const peer = peers_[node.value].get();
  return peer != nullptr && peer->member ? peer : nullptr;
}

ChannelPeer* Channels::Impl::find(const fabric::Identity& from) const noexcept {
  ChannelPeer* const peer = find(from.node);
  return peer != nullptr && peer->incarnation == from.incarnation ? peer : nullptr;
}

std::size_t Channels::Impl::unacknowledged() const noexcept {
  std::size_t sum = own_.size();
  for (const auto& peer : peers_) sum += peer == nullptr ? 0 : peer->out.size();
  return sum;
}

bool Channels::Impl::poll() noexcept {
  bool any = false;
  while (!ended_.empty()) {
    any = true;
    end(ended_.pop_front());
  }
  if (!due_.empty()) any |= deliver_later();
  if (!own_.empty()) any |= deliver_own();
  while (!ack_now_.empty()) {
    any = true;
    ChannelPeer& peer = ack_now_.pop_front();
    if (peer.owed >= options_.ack_messages) send_ack(peer);
  }
  return any;
}

bool Channels::Impl::flush() noexcept {
  const bool any = !gathering_.empty();
  while (!gathering_.empty()) send_gathered(gathering_.pop_front());
  return any;
}

bool Channels::Impl::arm() noexcept {
  return ended_.empty() && due_.empty() && own_.empty() && ack_now_.empty() && gathering_.empty();
}

void Channels::Impl::on_timer() noexcept {
  while (!owing_.empty()) {
    ChannelPeer& peer = owing_.pop_front();
    if (peer.owed > 0) send_ack(peer);
  }
}

}  // namespace krg::kddm

#include "peer.h"

#include <cstring>

#include "krg/log/log.h"
#include "krg/rpc/rpc.h"
#include "rpc_impl.h"

namespace krg::rpc {
namespace {

constexpr std::size_t kFramesAt = fabric::kHeadroom + sizeof(BatchHeader);
// Data up to this length travels in the batch: copying it costs less than a rendezvous.
constexpr std::size_t kInlineDataMax = 4096;

}  // namespace

void Batch::on_complete(Status) noexcept { owner.give_batch(this); }

// The peer fetches the data as fast as it can, and then answers: both come soon.
LargeSend::LargeSend(Peer& p) noexcept : owner(p) { owner.rpc.reactor().soon_begins(); }

LargeSend::~LargeSend() { owner.rpc.reactor().soon_ends(); }

void LargeSend::on_complete(Status) noexcept { delete this; }

Peer::Peer(Rpc& r, NodeId n) : rpc(r), node(n) {}

Peer::~Peer() { reset(); }

bool Peer::self() const noexcept { return node == rpc.self().node; }

Batch* Peer::take_batch() {
  if (free_batches.empty()) {
    batches.push_back(std::make_unique<Batch>(*this));
    free_batches.push_back(batches.back().get());
  }
  Batch* batch = free_batches.back();
  free_batches.pop_back();
  batch->used = 0;
  return batch;
}

void Peer::count_sent(const FrameHeader& header, std::size_t size) noexcept {
  rpc.stats_of(ServiceId{header.service}).sent(header.kind, size);
  if (self()) return;
  rpc.to_others_[0].add();
  rpc.to_others_[1].add(sizeof header + size);
}

void Peer::mark_dirty() noexcept {
  if (!ListNode<DirtyTag>::linked()) rpc.dirty_.push_back(*this);
}

void Peer::write_batch_header(std::uint8_t lane, std::byte* into) noexcept {
  BatchHeader header{rpc.epoch_.value, {lanes[0].consumed, lanes[1].consumed}, lane};
  for (Lane& l : lanes) l.consumed_told = l.consumed;
  std::memcpy(into, &header, sizeof header);
}

Status Peer::append(std::uint8_t index, FrameHeader header, const Payload& payload) {
  Lane& lane = lanes[index];
  if (lane.open == nullptr) lane.open = take_batch();
  Batch& batch = *lane.open;
  const std::size_t room = kBatchRoom - batch.used;
  if (room > sizeof header) [[likely]] {
    std::byte* at = batch.bytes.data() + kFramesAt + batch.used;
    wire::Encoder out({at + sizeof header, room - sizeof header});
    payload.encode(out);
    if (out.ok()) [[likely]] {
      header.size = static_cast<std::uint32_t>(out.size());
      std::memcpy(at, &header, sizeof header);
      batch.used += sizeof header + out.size();
      count_sent(header, out.size());
      mark_dirty();
      return {};
    }
  }
  if (batch.used == 0) return append_large(index, header, payload, {});
  seal(index);
  return append(index, header, payload);
}

Status Peer::append(std::uint8_t index, FrameHeader header, const Payload& payload, Buffer data) {
  if (data.empty()) return append(index, header, payload);
  if (data.size() > kInlineDataMax) {
    return append_large(index, header, payload, std::move(data));
  }
  Lane& lane = lanes[index];
  header.flags |= kAttached;
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (lane.open == nullptr) lane.open = take_batch();
    Batch& batch = *lane.open;
    std::byte* at = batch.bytes.data() + kFramesAt + batch.used;
    const std::size_t room = kBatchRoom - batch.used;
    if (room > sizeof header) {
      wire::Encoder out({at + sizeof header, room - sizeof header});
      out.put<std::uint32_t>(0);
      payload.encode(out);
      const auto typed = static_cast<std::uint32_t>(out.size() - sizeof(std::uint32_t));
      out.put_raw(data.bytes().data(), data.size());
      if (out.ok()) {
        std::memcpy(at + sizeof header, &typed, sizeof typed);
        header.size = static_cast<std::uint32_t>(out.size());
        std::memcpy(at, &header, sizeof header);
        batch.used += sizeof header + out.size();
        count_sent(header, out.size());
        mark_dirty();
        return {};
      }
    }
    if (batch.used == 0) break;
    seal(index);
  }
  header.flags &= static_cast<std::uint8_t>(~kAttached);
  return append_large(index, header, payload, std::move(data));
}

// Bulk data follows a header that holds the typed part; a typed part that is too long for a header
// becomes the data itself.
Status Peer::append_large(std::uint8_t index, FrameHeader header, const Payload& payload,
                          Buffer data) {
  wire::Encoder dry({});
  payload.encode(dry);
  constexpr std::size_t kTypedMax = fabric::kLargeHeaderMax - kFramesAt - sizeof(FrameHeader);
  if (!data.empty() && dry.size() > kTypedMax) return Error(Errc::too_large).with_peer(node);
  auto large = std::make_unique<LargeSend>(*this);
  if (data.empty()) {
    header.flags |= kDataIsBody;
    header.size = 0;
    data = rpc.buffers_.take(dry.size());
    if (data.capacity() < dry.size()) return Error(Errc::no_memory).with_peer(node);
    wire::Encoder out(data.bytes());
    payload.encode(out);
    large->header.resize(kFramesAt + sizeof header);
  } else {
    header.flags |= kAttached;
    header.size = static_cast<std::uint32_t>(dry.size());
    large->header.resize(kFramesAt + sizeof header + dry.size());
    wire::Encoder out(std::span(large->header).subspan(kFramesAt + sizeof header));
    payload.encode(out);
  }
  std::memcpy(large->header.data() + kFramesAt, &header, sizeof header);
  count_sent(header, header.size + data.size());
  large->data = std::move(data);
  seal(index);
  send(index, {nullptr, large.release()});
  return {};
}

// Hands the lane's open batch to the fabric.
void Peer::seal(std::uint8_t index) noexcept {
  Batch* batch = std::exchange(lanes[index].open, nullptr);
  if (batch != nullptr) send(index, {batch, nullptr});
}

bool Peer::send(std::uint8_t index, Outgoing outgoing) noexcept {
  std::byte* header =
      outgoing.batch != nullptr ? outgoing.batch->bytes.data() : outgoing.large->header.data();
  write_batch_header(index, header + fabric::kHeadroom);
  Lane& lane = lanes[index];
  if (lane.blocked.empty() && try_send(outgoing)) return true;
  lane.blocked.push_back(outgoing);
  return false;
}

// True: the fabric has it, or it is dropped because the connection is going down.
bool Peer::try_send(Outgoing outgoing) noexcept {
  if (endpoint == nullptr) return false;
  if (outgoing.batch != nullptr) {
    Batch& batch = *outgoing.batch;
    const auto sent = endpoint->send({batch.bytes.data(), kFramesAt + batch.used}, batch);
    if (sent) {
      if (*sent == fabric::Sent::done) give_batch(&batch);
      return true;
    }
    if (sent.error() == Errc::would_block) return false;
    give_batch(&batch);
    return true;
  }
  const wire::Bytes part = outgoing.large->data.bytes();
  const Status sent = endpoint->send_large(outgoing.large->header, {&part, 1}, *outgoing.large);
  if (sent) return true;
  if (sent.error() == Errc::would_block) return false;
  outgoing.large->on_complete(sent);
  return true;
}

void Peer::send_queue(std::uint8_t index) noexcept {
  auto& blocked = lanes[index].blocked;
  while (!blocked.empty() && try_send(blocked.front())) (void)blocked.pop_front();
}

bool Peer::flush() noexcept {
  bool any = false;
  for (const std::uint8_t index : {std::uint8_t{1}, std::uint8_t{0}}) {
    if (lanes[index].open == nullptr) continue;
    any = true;
    seal(index);
  }
  // Nothing carried the credits that we owe: send them alone, before the peer runs dry.
  for (const std::uint8_t index : {std::uint8_t{0}, std::uint8_t{1}}) {
    if (lanes[index].consumed - lanes[index].consumed_told < kWindow[index] / 4) continue;
    any = true;
    send(1, {take_batch(), nullptr});
  }
  return any;
}

Status Peer::append_or_queue(std::uint8_t index, FrameHeader header, const Payload& payload,
                             bool counted) {
  Lane& lane = lanes[index];
  const bool now = (state == State::up || self()) && lane.queued.empty() &&
                   (!counted || (lane.waiting.empty() && has_credit(lane, index)));
  if (now) {
    if (counted) ++lane.sent;
    return append(index, header, payload);
  }
  if (lane.queued.size() >= kQueuedMax) return Error(Errc::limit_reached).with_peer(node);
  wire::Encoder dry({});
  payload.encode(dry);
  QueuedFrame frame{header, counted, std::vector<std::byte>(dry.size())};
  wire::Encoder out(frame.payload);
  payload.encode(out);
  lane.queued.push_back(std::move(frame));
  return {};
}

void Peer::send_waiting(std::uint8_t index) noexcept {
  Lane& lane = lanes[index];
  while (!lane.queued.empty()) {
    if (lane.queued.front().counted && !has_credit(lane, index)) return;
    const QueuedFrame frame = lane.queued.pop_front();
    if (frame.counted) ++lane.sent;
    const wire::Bytes bytes = frame.payload;
    if (!append(index, frame.header, Payload::raw(bytes))) {
      KRG_WARN("peer {}: dropped a message of {} bytes: out of memory", node.value, bytes.size());
    }
  }
  while (!lane.waiting.empty() && has_credit(lane, index)) rpc.send_call(lane.waiting.pop_front());
}

void Peer::drain() noexcept {
  for (const std::uint8_t index : {std::uint8_t{1}, std::uint8_t{0}}) send_queue(index);
  for (const std::uint8_t index : {std::uint8_t{1}, std::uint8_t{0}}) send_waiting(index);
}

void Peer::acknowledge(const BatchHeader& header) noexcept {
  for (std::uint8_t i = 0; i < lanes.size(); ++i) {
    if (lanes[i].acknowledged == header.consumed[i]) continue;
    lanes[i].acknowledged = header.consumed[i];
    if (!lanes[i].queued.empty() || !lanes[i].waiting.empty()) send_waiting(i);
  }
}

void Peer::reset() noexcept {
  ListNode<DirtyTag>::unlink();
  for (Lane& lane : lanes) {
    if (lane.open != nullptr) give_batch(std::exchange(lane.open, nullptr));
    while (!lane.blocked.empty()) {
      const Outgoing outgoing = lane.blocked.pop_front();
      if (outgoing.batch != nullptr) {
        give_batch(outgoing.batch);
      } else {
        outgoing.large->on_complete(Error(Errc::peer_down).with_peer(node));
      }
    }
    while (!lane.queued.empty()) (void)lane.queued.pop_front();
    lane.sent = lane.acknowledged = lane.consumed = lane.consumed_told = 0;
  }
}

}  // namespace krg::rpc

#include "peer.h"

#include <algorithm>
#include <cstring>

#include "fabric_impl.h"
#include "krg/log/log.h"

namespace krg::ofi {
namespace {

// What one peer may have in the rail, so that one that does not read leaves room for the others.
constexpr unsigned kInFlightMax = 32;
constexpr unsigned kInjectedMax = 64;  // Between two messages whose completion is awaited.
constexpr unsigned kQueuedMax = 256;   // Small messages waiting for the rail: 2 MiB.
constexpr std::size_t kLargeMax = 256;
constexpr unsigned kDirectMax = 64;
constexpr unsigned kChunksAhead = 8;

}  // namespace

Peer::Peer(FabricImpl& fabric, link::Link& link)
    : fabric_(fabric),
      link_(&link),
      identity_(link.peer()),
      send_token_(link.send_token()),
      receive_token_(link.receive_token()) {}

void Peer::mark_busy() noexcept { fabric_.mark_busy(*this); }

void Peer::write_header(std::byte* at, Kind kind) const noexcept {
  const Header header{send_token_, kind, 0, 0, 0};
  std::memcpy(at, &header, sizeof header);
}

Result<fabric::Sent> Peer::send(std::span<std::byte> message, fabric::Completion&) {
  KRG_DASSERT(message.size() >= fabric::kHeadroom && message.size() <= fabric::kMessageMax);
  if (state_ != PeerState::up) return Error(Errc::peer_down).with_peer(identity_.node);
  write_header(message.data(), Kind::message);
  if (queued_ == 0 && transmit_now(message)) return fabric::Sent::done;
  if (queued_user_ >= kQueuedMax) {
    blocked_ = true;
    return Error(Errc::would_block);
  }
  Packet& packet = fabric_.packets().take();
  packet.size = static_cast<std::uint32_t>(message.size());
  packet.user = true;
  std::memcpy(packet.bytes.data(), message.data(), message.size());
  enqueue(packet);
  return fabric::Sent::done;
}

// The short way: libfabric copies the message, and no completion follows.
bool Peer::transmit_now(std::span<const std::byte> message) noexcept {
  if (injected_ >= kInjectedMax || message.size() > path_.rail->inject_max()) return false;
  if (path_.rail->inject(path_.address, message) != Rail::Post::done) return false;
  ++injected_;
  if (path_.bell != nullptr) path_.bell->ring();
  return true;
}

void Peer::enqueue(Packet& packet) noexcept {
  packet.owner = this;
  queue_.push_back(packet);
  ++queued_;
  queued_user_ += packet.user ? 1 : 0;
  if (queued_ == 1) pump();
  if (queued_ > 0 || rail_needs_peer()) mark_busy();
}

void Peer::post_bytes(Kind kind, std::span<const std::byte> head,
                      std::span<const std::byte> bytes) {
  Packet& packet = fabric_.packets().take();
  packet.user = false;
  packet.size = static_cast<std::uint32_t>(sizeof(Header) + head.size() + bytes.size());
  KRG_ASSERT(packet.size <= packet.bytes.size());
  write_header(packet.bytes.data(), kind);
  std::byte* at = std::ranges::copy(head, packet.bytes.data() + sizeof(Header)).out;
  std::ranges::copy(bytes, at);
  enqueue(packet);
}

Rail::Post Peer::launch(Packet& packet) noexcept {
  packet.done = [](Operation& operation, int error) noexcept {
    auto& self = static_cast<Packet&>(operation);
    if (self.owner != nullptr) self.owner->packet_done(self, error);
  };
  const Rail::Post post = path_.rail->send(path_.address, packet.view(), packet);
  if (post == Rail::Post::done) {
    ++in_flight_;
    injected_ = 0;
    if (path_.bell != nullptr) path_.bell->ring();
  }
  return post;
}

void Peer::packet_done(Packet& packet, int error) noexcept {
  packet.unlink();
  fabric_.packets().give(packet);
  --in_flight_;
  if (error != 0 && connected()) path_failed(fi_strerror(error));
  if (queued_ > 0 || !streams_.empty() || blocked_ || !connected()) mark_busy();
}

// Gives the rail what it takes; true if it took anything.
bool Peer::pump() noexcept {
  bool sent = false;
  while (connected()) {
    if (queued_ < kChunksAhead && next_chunk()) continue;
    if (queue_.empty() || in_flight_ >= kInFlightMax) break;
    Packet& packet = queue_.front();
    const Rail::Post post = launch(packet);
    if (post == Rail::Post::busy) break;
    if (post == Rail::Post::failed) {
      path_failed("a message can not be sent");
      break;
    }
    packet.unlink();
    outstanding_.push_back(packet);
    --queued_;
    queued_user_ -= packet.user ? 1 : 0;
    sent = true;
  }
  return sent;
}

// Puts the next packet of a stream into the queue; false if there is none.
bool Peer::next_chunk() noexcept {
  if (streams_.empty()) return false;
  Stream& stream = streams_.front();
  Packet& packet = fabric_.packets().take();
  packet.user = false;
  packet.owner = this;
  write_header(packet.bytes.data(), stream.kind);
  const bool put = stream.kind == Kind::put;
  const std::size_t head = sizeof(Header) + (put ? sizeof(MemoryHead) : sizeof(Transfer));
  std::size_t at = head;
  while (at < packet.bytes.size() && !stream.parts.empty()) {
    auto& part = stream.parts.front();
    const std::size_t n = std::min(part.size(), packet.bytes.size() - at);
    std::memcpy(packet.bytes.data() + at, part.data(), n);
    at += n;
    part = part.subspan(n);
    if (part.empty()) stream.parts.erase(stream.parts.begin());
  }
  const std::uint64_t bytes = at - head;
  if (put) {
    const std::uint64_t left = stream.size - stream.sent - bytes;
    const MemoryHead what{stream.id,   stream.region, stream.offset + stream.sent,
                          stream.size, left,          0};
    std::memcpy(packet.bytes.data() + sizeof(Header), &what, sizeof what);
  } else {
    const Transfer what{stream.id, stream.sent, 0};
    std::memcpy(packet.bytes.data() + sizeof(Header), &what, sizeof what);
  }
  packet.size = static_cast<std::uint32_t>(at);
  stream.sent += bytes;
  if (stream.sent == stream.size) {
    streams_.pop_front();
  } else if (streams_.size() > 1) {
    streams_.push_back(std::move(stream));  // Each in its turn.
    streams_.pop_front();
  }
  queue_.push_back(packet);
  ++queued_;
  return true;
}

void Peer::add_stream(Stream stream) {
  std::erase_if(stream.parts, [](const auto& part) { return part.empty(); });
  streams_.push_back(std::move(stream));
  pump();
  mark_busy();
}

void Peer::start(DirectOp& op) noexcept {
  op.peer = this;
  op.done = [](Operation& operation, int error) noexcept {
    auto& self = static_cast<DirectOp&>(operation);
    Peer& peer = *self.peer;
    --peer.direct_ops_;
    if (!peer.waiting_direct_.empty() || !peer.connected()) peer.mark_busy();
    self.finished(error);
  };
  waiting_direct_.push_back(op);
  retry_direct();
  if (!waiting_direct_.empty() || rail_needs_peer()) mark_busy();
}

bool Peer::retry_direct() noexcept {
  bool any = false;
  while (!waiting_direct_.empty() && direct_ops_ < kDirectMax && connected()) {
    DirectOp& op = waiting_direct_.front();
    const Rail::Post post = op.write
                                ? path_.rail->write(path_.address, op.local, op.address, op.key, op)
                                : path_.rail->read(path_.address, op.local, op.address, op.key, op);
    if (post == Rail::Post::busy) break;
    op.ListNode<DirectTag>::unlink();
    ++direct_ops_;
    any = true;
    if (post == Rail::Post::failed) op.done(op, FI_EIO);
  }
  return any;
}

bool Peer::has_room() const noexcept {
  return queued_user_ <= kQueuedMax / 2 && outgoing_.size() < kLargeMax;
}

Status Peer::send_large(std::span<std::byte> header,
                        std::span<const std::span<const std::byte>> parts,
                        fabric::Completion& done) {
  KRG_DASSERT(header.size() >= fabric::kHeadroom && header.size() <= fabric::kLargeHeaderMax);
  if (state_ != PeerState::up) return Error(Errc::peer_down).with_peer(identity_.node);
  if (queued_user_ >= kQueuedMax || outgoing_.size() >= kLargeMax) {
    blocked_ = true;
    return Error(Errc::would_block);
  }
  const std::uint64_t id = next_id_++;
  Outgoing& large = outgoing_[id];
  large.done = &done;
  for (const auto& part : parts) {
    if (part.empty()) continue;
    large.parts.push_back(part);
    large.size += part.size();
  }
  enqueue(large_packet(id, large, header));
  return {};
}

// Data that fits goes with the header; else its places, if the peer can read them itself.
Packet& Peer::large_packet(std::uint64_t id, Outgoing& large, std::span<std::byte> header) {
  Packet& packet = fabric_.packets().take();
  packet.user = true;
  const auto content = header.subspan(fabric::kHeadroom);
  const std::size_t fixed = sizeof(Header) + sizeof(LargeHead) + content.size();
  const bool is_inline = fixed + large.size <= packet.bytes.size();
  std::vector<PartRef> refs;
  if (!is_inline && path_.direct) {
    for (const auto& part : large.parts) {
      auto made = path_.rail->register_memory(part, FI_REMOTE_READ);
      if (!made) break;
      refs.push_back({made->address, made->key, part.size()});
      large.registrations.push_back(std::move(*made));
    }
    if (refs.size() < large.parts.size()) refs.clear();
  }
  const Header front{send_token_, Kind::large, static_cast<std::uint8_t>(refs.size()), 0,
                     static_cast<std::uint32_t>(content.size())};
  const LargeHead head{id, large.size};
  std::byte* at = packet.bytes.data();
  at = std::ranges::copy(std::as_bytes(std::span(&front, 1)), at).out;
  at = std::ranges::copy(std::as_bytes(std::span(&head, 1)), at).out;
  at = std::ranges::copy(std::as_bytes(std::span(refs)), at).out;
  at = std::ranges::copy(content, at).out;
  if (is_inline) {
    for (const auto& part : large.parts) at = std::ranges::copy(part, at).out;
  }
  packet.size = static_cast<std::uint32_t>(at - packet.bytes.data());
  return packet;
}

void Peer::cancel(fabric::Completion& operation) noexcept {
  if (!connected()) return;
  for (const auto& [id, large] : outgoing_) {
    if (large.done != &operation) continue;
    post(Kind::cancel, Transfer{id, 0, 0});
    return;
  }
}

Result<std::unique_ptr<fabric::RemoteRegion>> Peer::attach(std::span<const std::byte> key) {
  RegionKey known{};
  if (key.size() != sizeof known || !take(key, known) || known.magic != kRegionMagic) {
    return Error(Errc::invalid_argument, "not a key of a region");
  }
  return Result<std::unique_ptr<fabric::RemoteRegion>>(
      std::make_unique<RemoteRegionImpl>(*this, known));
}

MemoryOp& Peer::add_memory_op(fabric::Completion& done) {
  const std::uint64_t id = next_id_++;
  MemoryOp& op = *(memory_ops_[id] = std::make_unique<MemoryOp>());
  op.id = id;
  op.peer = this;
  op.completion = &done;
  return op;
}

void Peer::end_memory_op(std::uint64_t id, Status status) noexcept {
  const auto found = memory_ops_.find(id);
  if (found == memory_ops_.end()) return;
  fabric::Completion* done = found->second->completion;
  memory_ops_.erase(found);
  std::erase_if(streams_, [&](const Stream& s) { return s.kind == Kind::put && s.id == id; });
  done->on_complete(status);
}

}  // namespace krg::ofi

// What comes off the wire: batches into frames, frames to their place. Nothing here trusts a
// length.
#include <array>
#include <tuple>
#include <utility>

#include "krg/log/log.h"
#include "rpc_impl.h"

namespace krg::rpc {

void Rpc::malformed(Peer& from, const char* what) {
  KRG_ERROR("peer {}: malformed message ({}); closing the connection", from.node.value, what);
  if (from.endpoint != nullptr) from.endpoint->close();
}

void Rpc::on_message(fabric::Endpoint& endpoint, std::span<const std::byte> content) {
  auto* from = static_cast<Peer*>(endpoint.user);
  if (from == nullptr || from->endpoint != &endpoint) return;
  if (!on_batch(*from, content)) malformed(*from, "frame");
}

bool Rpc::on_batch_header(Peer& from, const BatchHeader& header) {
  if (header.lane > 1) return false;
  for (std::size_t i = 0; i < from.lanes.size(); ++i) {
    // The peer can not have dealt with more than we sent.
    if (from.lanes[i].sent - header.consumed[i] > kWindow[i]) return false;
  }
  from.acknowledge(header);
  return true;
}

bool Rpc::on_batch(Peer& from, wire::Bytes content) {
  if (content.size() < sizeof(BatchHeader)) return false;
  const auto batch = load<BatchHeader>(content.data());
  if (!on_batch_header(from, batch)) return false;
  const std::uint64_t session = from.session;
  std::size_t at = sizeof batch;
  while (at < content.size()) {
    if (content.size() - at < sizeof(FrameHeader)) return false;
    Frame frame{
        load<FrameHeader>(content.data() + at), {}, static_cast<std::uint8_t>(batch.lane), {}};
    at += sizeof(FrameHeader);
    if (frame.header.size > content.size() - at) return false;
    frame.payload = content.subspan(at, frame.header.size);
    at += frame.header.size;
    if (!on_frame(from, frame)) return false;
    if (from.session != session) return true;  // A handler ended the connection.
  }
  return true;
}

bool Rpc::on_frame(Peer& from, Frame& frame) {
  stats_of(ServiceId{frame.header.service})
      .received(frame.header.kind, frame.payload.size() + frame.attachment.size());
  // The payload of a frame that has no flag is the typed part alone, which is the case to be fast
  // at.
  switch (frame.kind()) {
    case Kind::request:
    case Kind::one_way:
      return on_request(from, frame);
    case Kind::reply:
      return on_reply(from, frame);
    case Kind::error:
      return on_error(frame);
    case Kind::cancel:
      return on_cancel(from, frame);
    case Kind::forwarded:
      return on_forwarded(frame);
    case Kind::item:
    case Kind::end:
    case Kind::window:
      return on_stream_frame(from, frame);
  }
  return false;
}

// Takes the key and the first caller off the front of a request.
bool Rpc::on_request(Peer& from, Frame& frame) {
  Arrival arrival;
  arrival.rpc = this;
  arrival.via = arrival.answer_to = &from;
  arrival.via_session = from.session;
  arrival.call = frame.header.call;
  arrival.service = ServiceId{frame.header.service};
  arrival.flags = frame.header.flags;
  arrival.lane = frame.lane;
  arrival.one_way = frame.kind() == Kind::one_way;
  arrival.session = from.session;
  wire::Bytes typed = frame.payload;
  if ((frame.header.flags & (kKeyed | kForwarded | kAttached)) == 0) {
    dispatch(std::move(arrival), typed);
    return true;
  }
  if (!split_attachment(frame, typed, nullptr)) return false;
  wire::Decoder in(typed);
  if (frame.has(kKeyed)) arrival.key = in.get<std::uint64_t>();
  if (frame.has(kForwarded)) {
    const auto origin = in.get<std::uint32_t>();
    if (!in.ok() || origin >= kNodesMax) return false;
    arrival.answer_to = &peer(NodeId{origin});
    connect(*arrival.answer_to);
  }
  if (!in.ok()) return false;
  arrival.session = arrival.answer_to->session;
  arrival.attachment = std::move(frame.attachment);
  dispatch(std::move(arrival), in.view(in.left()));
  return true;
}

// Separates the typed part of a payload from bulk data that was small enough to travel with it.
bool Rpc::split_attachment(Frame& frame, wire::Bytes& typed, Buffer* into) {
  typed = frame.payload;
  if (!frame.has(kAttached) || !frame.attachment.empty()) return true;
  wire::Decoder in(frame.payload);
  typed = in.view(in.get<std::uint32_t>());
  const wire::Bytes data = in.view(in.left());
  if (!in.ok()) return false;
  if (into != nullptr && into->capacity() >= data.size()) {
    frame.attachment = std::move(*into);
    frame.attachment.resize(data.size());
  } else {
    frame.attachment = buffers_.take(data.size());
  }
  if (frame.attachment.size() != data.size()) return false;
  if (!data.empty()) std::memcpy(frame.attachment.bytes().data(), data.data(), data.size());
  return true;
}

bool Rpc::on_reply(Peer& from, Frame& frame) {
  CallBase* call = calls_.find(frame.header.call);
  if (call == nullptr) return true;  // It has timed out or was cancelled.
  if (call->peer_ != &from && !frame.has(kForwarded)) return false;
  wire::Bytes typed = frame.payload;
  if (frame.has(kAttached)) {
    if (!split_attachment(frame, typed, &call->data_)) return false;
    call->data_ = std::move(frame.attachment);
  } else {
    call->data_.reset();
  }
  call->finish(call->accept(typed) ? Error() : Error(Errc::protocol_error).with_peer(from.node));
  return true;
}

bool Rpc::on_error(const Frame& frame) {
  wire::Decoder in(frame.payload);
  const auto code = in.get<std::uint16_t>();
  if (!in.finished() || code == 0 || !is_errc(code)) return false;
  if (CallBase* call = calls_.find(frame.header.call); call != nullptr) {
    call->finish(Error(static_cast<Errc>(code)).with_peer(call->peer_->node));
  }
  return true;
}

bool Rpc::on_cancel(Peer& from, const Frame& frame) {
  for (Incoming& incoming : from.active) {
    if (incoming.arrival_.call != frame.header.call) continue;
    incoming.cancelled_ = true;
    if (const auto it = from.streams.find(frame.header.call); it != from.streams.end()) {
      it->second->on_closed(Error(Errc::cancelled).with_peer(from.node));
    }
    return true;
  }
  if (ServiceEntry* service = find_service(ServiceId{frame.header.service})) {
    cancel_queued(*service, from, frame.header.call);
  }
  return true;
}

// Another node answers a call of ours: from now on that node's death ends it.
bool Rpc::on_forwarded(const Frame& frame) {
  wire::Decoder in(frame.payload);
  const auto node = in.get<std::uint32_t>();
  if (!in.finished() || node >= kNodesMax) return false;
  CallBase* call = calls_.find(frame.header.call);
  if (call == nullptr) return true;
  Peer& now = peer(NodeId{node});
  static_cast<ListNode<CallTag>&>(*call).unlink();
  call->peer_ = &now;
  now.calls.push_back(*call);
  connect(now);
  return true;
}

StreamCore* Rpc::find_stream(Peer& from, const Frame& frame) const noexcept {
  if (frame.has(kToServer)) {
    const auto it = from.streams.find(frame.header.call);
    return it == from.streams.end() ? nullptr : it->second;
  }
  CallBase* call = calls_.find(frame.header.call);
  return call != nullptr && call->peer_ == &from ? call->stream() : nullptr;
}

bool Rpc::on_stream_frame(Peer& from, const Frame& frame) {
  StreamCore* stream = find_stream(from, frame);
  if (stream == nullptr) return true;  // It has ended on this side.
  switch (frame.kind()) {
    case Kind::item:
      stats_of(ServiceId{frame.header.service}).counters[ServiceStats::kItemsReceived].add();
      return stream->on_item(frame.payload);
    case Kind::end:
      stream->on_end();
      return true;
    default: {
      wire::Decoder in(frame.payload);
      const auto items = in.get<std::uint32_t>();
      return in.finished() && stream->on_window(items);
    }
  }
}

void Rpc::on_large(fabric::Endpoint& endpoint, std::span<const std::byte> header,
                   fabric::LargeMessage& message) {
  auto* from = static_cast<Peer*>(endpoint.user);
  if (from == nullptr || from->endpoint != &endpoint) {
    message.discard();
    return;
  }
  constexpr std::size_t kFixed = sizeof(BatchHeader) + sizeof(FrameHeader);
  if (header.size() < kFixed) {
    message.discard();
    return malformed(*from, "large header");
  }
  const auto batch = load<BatchHeader>(header.data());
  const auto frame = load<FrameHeader>(header.data() + sizeof batch);
  const wire::Bytes typed = header.subspan(kFixed);
  const bool shape = frame.size == typed.size() && (frame.flags & (kAttached | kDataIsBody)) != 0 &&
                     message.size() > 0;
  if (!shape || !on_batch_header(*from, batch)) {
    message.discard();
    return malformed(*from, "large header");
  }
  receive_large(*from, frame, typed, static_cast<std::uint8_t>(batch.lane), message);
}

void Rpc::receive_large(Peer& from, const FrameHeader& header, wire::Bytes typed, std::uint8_t lane,
                        fabric::LargeMessage& message) {
  from.receiving.push_back(
      std::make_unique<LargeReceive>(*this, from, header, typed, lane, message));
  begin_receiving(from);
}

// Starts as many transfers from this peer as each budget allows, in its order; one is always
// allowed.
void Rpc::begin_receiving(Peer& from) {
  std::array<bool, std::tuple_size_v<decltype(from.receiving_bytes)>> full{};
  for (std::size_t i = 0; i < from.receiving.size(); ++i) {
    LargeReceive& next = *from.receiving[i];
    if (next.begun()) continue;
    std::size_t& under_way = from.receiving_bytes[next.budget()];
    bool& waits = full[next.budget()];
    waits |= under_way != 0 && under_way + next.size() > options_.bulk_bytes_max;
    if (waits) continue;
    Buffer into;
    CallBase* call = static_cast<Kind>(next.header_.kind) == Kind::reply
                         ? calls_.find(next.header_.call)
                         : nullptr;
    if (call != nullptr && call->data_.capacity() >= next.size()) {
      into = std::move(call->data_);
      into.resize(next.size());
    } else {
      into = buffers_.take(next.size());
    }
    if (into.size() != next.size()) return malformed(from, "more bulk data than memory");
    under_way += next.size();
    next.begin(std::move(into));  // May complete at once, and shorten the list.
    if (i < from.receiving.size() && from.receiving[i].get() != &next) --i;
  }
}

void LargeReceive::begin(Buffer into) {
  into_ = std::move(into);
  std::exchange(message_, nullptr)->receive(into_.bytes(), *this);
}

void LargeReceive::on_complete(Status status) noexcept {
  Rpc& rpc = rpc_;
  Peer& from = from_;
  // Out of the list first: what follows may end the connection and clear it.
  std::unique_ptr<LargeReceive> self;
  for (auto it = from.receiving.begin(); it != from.receiving.end(); ++it) {
    if (it->get() != this) continue;
    self = std::move(*it);
    from.receiving.erase(it);
    from.receiving_bytes[budget()] -= size_;
    break;
  }
  if (!status) return;  // The connection is going down; its calls end with it.
  Rpc::Frame frame{header_, typed_, lane_, {}};
  Buffer body;
  if (frame.has(kDataIsBody)) {
    body = std::move(into_);
    frame.payload = body.bytes();
  } else {
    frame.attachment = std::move(into_);
  }
  const std::uint64_t session = from.session;
  if (!rpc.on_frame(from, frame)) return rpc.malformed(from, "large message");
  if (from.session == session) rpc.begin_receiving(from);
}

}  // namespace krg::rpc

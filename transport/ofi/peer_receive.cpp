#include <algorithm>

#include "fabric_impl.h"
#include "krg/log/log.h"
#include "peer.h"

// What arrives from the peer.
namespace krg::ofi {
namespace {

// A stream that answers gets; a peer that asks for more at once breaks the protocol.
constexpr std::size_t kStreamsMax = 4096;

}  // namespace

void Peer::on_packet(const Header& header, std::span<const std::byte> content) noexcept {
  if (state_ == PeerState::proven) {
    // The peer was up first. It can not have sent much: it has the greeting, we have not yet.
    early_.push_back({header, {content.begin(), content.end()}});
    return;
  }
  const bool lingers = state_ == PeerState::ending && !end_begun_;
  if (!connected() && !lingers) return;
  if (dispatch(header, content)) return;
  KRG_ERROR("ofi: peer {} sent a malformed message of kind {}: dropping it", identity_.node.value,
            static_cast<unsigned>(header.kind));
  if (link_ != nullptr) link_->abort(Error(Errc::protocol_error, "malformed message"));
}

bool Peer::dispatch(const Header& header, std::span<const std::byte> content) {
  switch (header.kind) {
    case Kind::message:
      fabric_.sink().on_message(*this, content);
      return true;
    case Kind::large:
      return take_large(header, content);
    case Kind::bye:
      bye_received_ = true;
      if (state_ == PeerState::up) {
        state_ = PeerState::closing;
        limit_ = fabric_.after(kCloseLimit);
      }
      mark_busy();
      return true;
    case Kind::put:
    case Kind::get:
    case Kind::fetch_add:
    case Kind::compare_swap: {
      MemoryHead head;
      return take(content, head) && streams_.size() < kStreamsMax &&
             serve_memory(header.kind, head, content);
    }
    case Kind::pull:
    case Kind::data:
    case Kind::finish:
    case Kind::cancel:
    case Kind::get_data:
    case Kind::memory_done:
      return take_transfer(header.kind, content);
  }
  return false;
}

bool Peer::take_large(const Header& header, std::span<const std::byte> content) {
  LargeHead head;
  if (!take(content, head) || header.parts > 16 || incoming_.contains(head.id)) return false;
  std::vector<PartRef> parts(header.parts);
  std::uint64_t in_parts = 0;
  for (PartRef& part : parts) {
    if (!take(content, part) || part.size > head.size - in_parts) return false;
    in_parts += part.size;
  }
  if (content.size() < header.header_size || (!parts.empty() && in_parts != head.size))
    return false;
  const auto user_header = content.first(header.header_size);
  const auto data = content.subspan(header.header_size);
  if (!data.empty() && data.size() != head.size) return false;
  auto& message = *(incoming_[head.id] = std::make_unique<Incoming>(*this, head.id, head.size));
  message.set_parts(std::move(parts));
  message.set_inline(data);
  fabric_.sink().on_large(*this, user_header, message);
  return true;
}

bool Peer::take_transfer(Kind kind, std::span<const std::byte> content) {
  Transfer transfer;
  if (!take(content, transfer)) return false;
  switch (kind) {
    case Kind::pull:
      return take_pull(transfer.id);
    case Kind::data: {
      const auto found = incoming_.find(transfer.id);
      return found != incoming_.end() && found->second->take(transfer.at, content);
    }
    case Kind::finish:
      return take_finish(transfer);
    case Kind::cancel: {
      const auto found = incoming_.find(transfer.id);
      if (found != incoming_.end() && found->second->cancel()) {
        finish(transfer.id, Errc::cancelled);
      }
      return true;
    }
    case Kind::get_data:
      return take_get_data(transfer, content);
    case Kind::memory_done: {
      const auto code = static_cast<std::uint16_t>(transfer.status);
      const auto found = memory_ops_.find(transfer.id);
      if (found == memory_ops_.end()) return true;
      if (code != 0 && !is_errc(code)) return false;
      if (code == 0 && found->second->old != nullptr) *found->second->old = transfer.at;
      end_memory_op(transfer.id, code == 0 ? Status() : Error(static_cast<Errc>(code)));
      return true;
    }
    default:
      return false;
  }
}

bool Peer::take_pull(std::uint64_t id) {
  const auto found = outgoing_.find(id);
  if (found == outgoing_.end()) return false;
  const auto running = std::ranges::find_if(
      streams_, [&](const Stream& s) { return s.kind == Kind::data && s.id == id; });
  if (running != streams_.end()) return false;
  Stream stream;
  stream.kind = Kind::data;
  stream.id = id;
  stream.size = found->second.size;
  stream.parts = found->second.parts;
  add_stream(std::move(stream));
  return true;
}

bool Peer::take_finish(const Transfer& transfer) {
  const auto found = outgoing_.find(transfer.id);
  const auto code = static_cast<std::uint16_t>(transfer.status);
  if (found == outgoing_.end() || (code != 0 && !is_errc(code))) return false;
  fabric::Completion* done = found->second.done;
  outgoing_.erase(found);
  std::erase_if(streams_,
                [&](const Stream& s) { return s.kind == Kind::data && s.id == transfer.id; });
  if (blocked_ || !accepting()) mark_busy();
  done->on_complete(code == 0 ? Status() : Error(static_cast<Errc>(code)));
  return true;
}

bool Peer::take_get_data(const Transfer& transfer, std::span<const std::byte> bytes) {
  const auto found = memory_ops_.find(transfer.id);
  if (found == memory_ops_.end()) return true;  // It failed meanwhile.
  MemoryOp& op = *found->second;
  if (op.write || op.old != nullptr || transfer.at != op.got ||
      bytes.size() > op.local.size() - op.got) {
    return false;
  }
  std::ranges::copy(bytes, op.local.data() + op.got);
  op.got += bytes.size();
  if (op.got == op.local.size()) end_memory_op(transfer.id, {});
  return true;
}

// The owner takes a region back: what peers are reading from it ends with an error at their side.
void Peer::region_gone(std::uint64_t region) noexcept {
  std::vector<std::uint64_t> ended;
  std::erase_if(streams_, [&](const Stream& s) {
    const bool reads = s.kind == Kind::get_data && s.region == region;
    if (reads) ended.push_back(s.id);
    return reads;
  });
  if (!connected()) return;
  for (const std::uint64_t id : ended) {
    post(Kind::memory_done, Transfer{id, 0, static_cast<std::uint64_t>(Errc::not_found)});
  }
}

}  // namespace krg::ofi

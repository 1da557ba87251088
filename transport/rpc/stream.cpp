#include "krg/rpc/stream.h"

#include "krg/rpc/rpc.h"
#include "peer.h"

namespace krg::rpc {
namespace {

// `service` is there to be counted for.
FrameHeader stream_frame(Kind kind, bool server, ServiceId service, std::uint64_t call) noexcept {
  return {0, service.value, static_cast<std::uint8_t>(kind),
          server ? std::uint8_t{0} : std::uint8_t{kToServer}, call};
}

}  // namespace

StreamCore::StreamCore(Rpc& rpc, ServiceId service, bool server) noexcept
    : rpc_(rpc),
      service_(service),
      readable_(rpc.reactor()),
      writable_(rpc.reactor()),
      server_(server) {}

StreamCore::~StreamCore() {
  if (server_ && peer_ != nullptr) peer_->streams.erase(call_);
}

reactor::Reactor& StreamCore::reactor() const noexcept { return rpc_.reactor(); }

void StreamCore::bind(Peer& peer, std::uint64_t call) noexcept {
  peer_ = &peer;
  session_ = peer.session;
  call_ = call;
  window_ = kStreamWindow;
  if (server_) peer.streams[call] = this;
  writable_.set();
}

Co<Status> StreamCore::send(Payload item, Deadline deadline) {
  wire::Encoder dry({});
  item.encode(dry);
  if (dry.size() + sizeof(FrameHeader) > kBatchRoom) co_return Error(Errc::too_large);
  while (window_ == 0 && closed_.code() == Errc::ok) {
    writable_.clear();
    KRG_CO_TRY(co_await writable_.wait(deadline));
  }
  if (closed_.code() != Errc::ok) co_return closed_;
  if (ended_) co_return Error(Errc::end_of_stream, "this side has ended the stream");
  --window_;
  rpc_.count_item(service_);
  co_return peer_->append(0, stream_frame(Kind::item, server_, service_, call_), item);
}

Co<Result<std::vector<std::byte>>> StreamCore::recv(Deadline deadline) {
  while (inbox_.empty()) {
    if (closed_.code() != Errc::ok) co_return closed_;
    if (peer_ended_) co_return Error(Errc::end_of_stream);
    readable_.clear();
    KRG_CO_TRY(co_await readable_.wait(deadline));
  }
  std::vector<std::byte> item = std::move(inbox_.front());
  inbox_.pop_front();
  if (++taken_ >= kStreamWindow / 2 && closed_.code() == Errc::ok) {
    const std::uint32_t items = std::exchange(taken_, 0);
    (void)peer_->append(0, stream_frame(Kind::window, server_, service_, call_),
                        Payload::of(items));
  }
  co_return item;
}

void StreamCore::end() noexcept {
  if (ended_ || closed_.code() != Errc::ok || peer_ == nullptr) return;
  ended_ = true;
  const wire::Bytes nothing;
  (void)peer_->append(0, stream_frame(Kind::end, server_, service_, call_), Payload::raw(nothing));
}

bool StreamCore::on_item(wire::Bytes item) {
  if (peer_ended_ || inbox_.size() + taken_ >= kStreamWindow) return false;
  inbox_.emplace_back(item.begin(), item.end());
  readable_.set();
  return true;
}

void StreamCore::on_end() noexcept {
  peer_ended_ = true;
  readable_.set();
}

bool StreamCore::on_window(std::uint32_t items) noexcept {
  if (items > kStreamWindow - window_) return false;
  window_ += items;
  writable_.set();
  return true;
}

void StreamCore::on_closed(Error why) noexcept {
  if (closed_.code() == Errc::ok) closed_ = why;
  readable_.set();
  writable_.set();
}

}  // namespace krg::rpc

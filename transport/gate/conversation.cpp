#include "connection.h"
#include "krg/gate/stream.h"

namespace krg::gate {
namespace {

// A reader that is this far behind holds up its connection.
constexpr std::size_t kUnreadBytesMax = 1u << 20;
constexpr std::size_t kUnreadItemsMax = 1024;

}  // namespace

Conversation::Conversation(reactor::Reactor& reactor, Connection& connection,
                           std::uint32_t call) noexcept
    : connection_(&connection), call_(call), readable_(reactor) {}

Conversation::~Conversation() {
  if (paused_ && connection_ != nullptr) connection_->resume();
}

Co<Status> Conversation::send(std::vector<std::byte> item, Deadline deadline) {
  if (ended_) co_return Error(Errc::end_of_stream, "the stream has been ended");
  while (connection_ != nullptr && !connection_->has_room()) {
    KRG_CO_TRY(co_await connection_->room().wait(deadline));
  }
  if (connection_ == nullptr) {
    co_return end_.code() == Errc::ok ? Error(Errc::end_of_stream, "the call is over") : end_;
  }
  FrameHeader header;
  header.kind = FrameKind::item;
  header.call = call_;
  co_return connection_->send(header, item);
}

Co<Result<std::vector<std::byte>>> Conversation::receive(Deadline deadline) {
  while (items_.empty()) {
    if (end_.code() != Errc::ok) co_return end_;
    readable_.clear();
    KRG_CO_TRY(co_await readable_.wait(deadline));
  }
  std::vector<std::byte> item = std::move(items_.front());
  items_.pop_front();
  bytes_ -= item.size();
  if (paused_ && bytes_ <= kUnreadBytesMax / 2 && items_.size() <= kUnreadItemsMax / 2) {
    paused_ = false;
    if (connection_ != nullptr) connection_->resume();
  }
  co_return item;
}

void Conversation::end() {
  if (std::exchange(ended_, true) || connection_ == nullptr) return;
  FrameHeader header;
  header.kind = FrameKind::end;
  header.call = call_;
  // If the connection is broken, the next receive says so.
  static_cast<void>(connection_->send(header, {}).has_value());
}

void Conversation::deliver_item(std::vector<std::byte> item) {
  if (end_.code() != Errc::ok) return;  // After its end a stream is silent, whatever a peer sends.
  bytes_ += item.size();
  items_.push_back(std::move(item));
  if (!paused_ && (bytes_ > kUnreadBytesMax || items_.size() > kUnreadItemsMax)) {
    paused_ = true;
    connection_->pause();
  }
  readable_.set();
}

void Conversation::deliver_end(Error why) {
  if (end_.code() == Errc::ok) end_ = why;
  readable_.set();
}

void Conversation::disconnect(Error why) {
  if (paused_ && connection_ != nullptr) connection_->resume();
  paused_ = false;
  connection_ = nullptr;
  deliver_end(why);
}

}  // namespace krg::gate

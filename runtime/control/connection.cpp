#include "krg/control/connection.h"

#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "krg/log/log.h"

namespace krg::control {
namespace {

constexpr std::size_t kHeader = 8;  // Length of the body (4), type (2), zero (2).
constexpr std::size_t kReadBytes = 64 * 1024;
constexpr std::size_t kRoom = 256 * 1024;

void make_non_blocking(int fd) {
  const int flags = fcntl(fd, F_GETFL);
  if (flags >= 0) fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

}  // namespace

Connection::Connection(reactor::Reactor& reactor, UniqueFd in, UniqueFd out,
                       ConnectionHandler& handler)
    : reactor_(reactor),
      in_(std::move(in)),
      out_(std::move(out)),
      handler_(handler),
      room_(reactor),
      in_buffer_(kReadBytes) {
  make_non_blocking(in_.get());
  if (out_) make_non_blocking(out_.get());
  room_.set();
  watch_again();
}

Connection::~Connection() {
  if (destroyed_ != nullptr) *destroyed_ = true;
  if (open_) {
    flush();
    reactor_.unwatch(in_.get());
    reactor_.unwatch(out_fd());
  }
}

void Connection::watch_again() noexcept {
  const std::uint32_t in_events = paused_ ? 0u : static_cast<std::uint32_t>(EPOLLIN);
  const std::uint32_t out_events = writing_ ? static_cast<std::uint32_t>(EPOLLOUT) : 0u;
  const auto apply = [this](int fd, std::uint32_t events) {
    // With no events a closed peer would still be reported, over and over.
    if (events == 0) {
      reactor_.unwatch(fd);
    } else if (!reactor_.watch(fd, events, *this)) {
      KRG_ERROR("a control connection can not be watched");
    }
  };
  if (!out_) return apply(in_.get(), in_events | out_events);
  apply(in_.get(), in_events);
  apply(out_.get(), out_events);
}

void Connection::pause() noexcept {
  paused_ = true;
  if (open_) watch_again();
}

void Connection::resume() noexcept {
  paused_ = false;
  if (!open_) return;
  watch_again();
  // Whole frames may have been read before the pause; no event of the descriptor will tell of them.
  if (destroyed_ == nullptr && in_size_ > 0) deliver();
}

void Connection::send_frame(std::uint16_t type, wire::Bytes body) {
  if (!open_) return;
  KRG_ASSERT(body.size() <= kFrameMax);
  if (traffic_ != nullptr) traffic_->sent(type, body.size());
  std::byte header[kHeader] = {};
  wire::Encoder encoder{header};
  encoder.put(static_cast<std::uint32_t>(body.size()));
  encoder.put(type);
  encoder.put(std::uint16_t{0});
  out_queue_.insert(out_queue_.end(), std::begin(header), std::end(header));
  out_queue_.insert(out_queue_.end(), body.begin(), body.end());
  if (!writing_) flush();
  if (queued() >= kRoom) room_.clear();
}

bool Connection::flush() noexcept {
  while (open_ && out_done_ < out_queue_.size()) {
    const ssize_t n =
        ::write(out_fd(), out_queue_.data() + out_done_, out_queue_.size() - out_done_);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) break;  // A broken connection is noticed by reading.
    out_done_ += static_cast<std::size_t>(n);
  }
  const bool empty = out_done_ == out_queue_.size();
  if (empty) {
    out_queue_.clear();
    out_done_ = 0;
  } else if (out_done_ > kRoom) {
    out_queue_.erase(out_queue_.begin(),
                     out_queue_.begin() + static_cast<std::ptrdiff_t>(out_done_));
    out_done_ = 0;
  }
  if (queued() < kRoom) room_.set();
  if (open_ && writing_ == empty) {
    writing_ = !empty;
    watch_again();
  }
  return empty;
}

void Connection::on_fd(std::uint32_t events) noexcept {
  // Two descriptors may come here; both calls are harmless when there is nothing to do.
  if ((events & (EPOLLOUT | EPOLLERR)) != 0 && writing_) flush();
  if ((events & EPOLLERR) != 0 && out_ && (events & EPOLLIN) == 0) {
    return close(Error(Errc::peer_down, "the control connection broke"));
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0 && !paused_) read_some();
}

void Connection::read_some() {
  if (in_size_ == in_buffer_.size()) in_buffer_.resize(in_buffer_.size() * 2);
  const ssize_t n = ::read(in_.get(), in_buffer_.data() + in_size_, in_buffer_.size() - in_size_);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n > 0) {
    in_size_ += static_cast<std::size_t>(n);
    deliver();
    return;
  }
  if (n < 0) return close(errno_error(Errc::peer_down, "the control connection broke"));
  close(in_size_ == 0 ? Status() : Error(Errc::protocol_error, "a frame was cut short"));
}

bool Connection::deliver() {
  bool destroyed = false;
  destroyed_ = &destroyed;
  std::size_t at = 0;
  Status wrong;
  while (open_ && !paused_ && in_size_ - at >= kHeader) {
    wire::Decoder decoder{std::span(in_buffer_).subspan(at, kHeader)};
    const auto length = decoder.get<std::uint32_t>();
    const auto type = decoder.get<std::uint16_t>();
    if (length > kFrameMax || decoder.get<std::uint16_t>() != 0) {
      wrong = Error(Errc::protocol_error, "not a control frame");
      break;
    }
    if (in_size_ - at < kHeader + length) {
      in_buffer_.resize(std::max(in_buffer_.size(), kHeader + length + at));
      break;
    }
    if (traffic_ != nullptr) traffic_->received(type, length);
    handler_.on_frame(*this, type, std::span(in_buffer_).subspan(at + kHeader, length));
    if (destroyed) return false;
    at += kHeader + length;
  }
  destroyed_ = nullptr;
  std::memmove(in_buffer_.data(), in_buffer_.data() + at, in_size_ - at);
  in_size_ -= at;
  if (!wrong) {
    close(wrong);
    return false;
  }
  return open_;
}

void Connection::close(Status why) {
  if (!open_) return;
  reactor_.unwatch(in_.get());
  reactor_.unwatch(out_fd());
  open_ = false;
  room_.set();
  handler_.on_closed(*this, why);
}

}  // namespace krg::control

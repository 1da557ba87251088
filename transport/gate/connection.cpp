#include "connection.h"

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "fd_passing.h"

namespace krg::gate {
namespace {

constexpr std::size_t kReadSize = 64u << 10;
constexpr std::size_t kFdsWaitingMax = 4 * kFdsMax;

}  // namespace

Connection::Connection(reactor::Reactor& reactor, UniqueFd fd, FrameSink& sink)
    : reactor_(reactor), fd_(std::move(fd)), sink_(sink), room_(reactor) {
  room_.set();
}

Connection::~Connection() {
  if (!closed_) reactor_.unwatch(fd_.get());
}

Status Connection::start() {
  watched_ = EPOLLIN;
  return reactor_.watch(fd_.get(), watched_, *this);
}

void Connection::close(Error why) noexcept {
  if (closed_) return;
  closed_ = true;
  reactor_.unwatch(fd_.get());
  fd_.reset();
  out_.clear();
  in_fds_.clear();
  queued_ = 0;
  room_.set();
  sink_.on_closed(why);
}

void Connection::update_watch() {
  if (closed_) return;
  const std::uint32_t want =
      (paused_ == 0 ? std::uint32_t{EPOLLIN} : 0) | (out_.empty() ? 0 : std::uint32_t{EPOLLOUT});
  if (want == watched_) return;
  watched_ = want;
  if (auto status = reactor_.watch(fd_.get(), want, *this); !status) close(status.error());
}

void Connection::pause() noexcept {
  ++paused_;
  update_watch();
}

void Connection::resume() noexcept {
  KRG_DASSERT(paused_ > 0);
  --paused_;
  // Frames that are already here come before what the socket holds; but never within a frame.
  if (paused_ == 0 && !taking_ && !closed_) {
    if (auto status = take_frames(); !status) return close(status.error());
  }
  update_watch();
}

void Connection::on_fd(std::uint32_t events) noexcept {
  if ((events & EPOLLOUT) != 0) {
    if (auto status = write_some(); !status) return close(status.error());
  }
  if ((events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0) {
    if (paused_ == 0) {
      read_some();
    } else if ((events & (EPOLLHUP | EPOLLERR)) != 0) {
      // Hung up for good: what it sent before can wait no longer for a reader.
      paused_ = 0;
      read_some();
    }
  }
  update_watch();
}

void Connection::read_some() {
  if (in_.size() < in_size_ + kReadSize) in_.resize(in_size_ + kReadSize);
  iovec part{in_.data() + in_size_, in_.size() - in_size_};
  FdControl control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  const ssize_t n = ::recvmsg(fd_.get(), &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (n < 0) {
    if (errno == EAGAIN || errno == EINTR) return;
    return close(errno_error(Errc::peer_down, "reading from the socket"));
  }
  if (!collect_fds(message, in_fds_) || in_fds_.size() > kFdsWaitingMax) {
    return close(Error(Errc::protocol_error, "gate: too many descriptors"));
  }
  if (n == 0) return close(Error(Errc::peer_down, "the other side has closed the socket"));
  in_size_ += static_cast<std::size_t>(n);
  if (auto status = take_frames(); !status) close(status.error());
}

Status Connection::take_frames() {
  taking_ = true;
  std::size_t at = 0;
  Status status;
  while (status && !closed_ && paused_ == 0 && in_size_ - at >= sizeof(FrameHeader)) {
    FrameHeader header;
    std::memcpy(&header, in_.data() + at, sizeof header);
    status = check(header);
    if (!status || in_size_ - at - sizeof header < header.size) break;
    if (header.fds > in_fds_.size()) {
      status = Error(Errc::protocol_error, "gate: descriptors are missing");
      break;
    }
    std::vector<UniqueFd> fds;
    for (unsigned i = 0; i < header.fds; ++i) {
      fds.push_back(std::move(in_fds_.front()));
      in_fds_.pop_front();
    }
    const std::span<const std::byte> body(in_.data() + at + sizeof header, header.size);
    at += sizeof header + header.size;
    status = sink_.on_frame(header, body, std::move(fds));
  }
  taking_ = false;
  std::copy(in_.begin() + static_cast<std::ptrdiff_t>(at),
            in_.begin() + static_cast<std::ptrdiff_t>(in_size_), in_.begin());
  in_size_ -= at;
  if (in_size_ == 0 && in_.size() > 4 * kReadSize) std::vector<std::byte>().swap(in_);
  return status;
}

Status Connection::send(FrameHeader header, std::span<const std::byte> body,
                        std::vector<UniqueFd> fds) {
  if (closed_) return Error(Errc::peer_down, "the socket is closed");
  if (body.size() > kBodyMax) return Error(Errc::too_large, "a frame's body is at most 16 MiB");
  if (fds.size() > kFdsMax) return Error(Errc::too_large, "at most 16 descriptors at a time");
  if (queued_ + body.size() > kQueueMax) {
    const Error why(Errc::limit_reached, "the other side does not read");
    close(why);
    return why;
  }
  header.size = static_cast<std::uint32_t>(body.size());
  header.fds = static_cast<std::uint8_t>(fds.size());
  Outgoing& out = out_.emplace_back();
  out.bytes.resize(sizeof header + body.size());
  std::memcpy(out.bytes.data(), &header, sizeof header);
  if (!body.empty()) std::memcpy(out.bytes.data() + sizeof header, body.data(), body.size());
  out.fds = std::move(fds);
  queued_ += out.bytes.size();
  if (out_.size() == 1) {
    // A broken socket is noticed by the next read, which must not happen below our caller's feet.
    if (auto status = write_some(); !status) return status;
  }
  if (!has_room()) room_.clear();
  update_watch();
  return {};
}

Result<std::size_t> Connection::send_front(Outgoing& front) {
  iovec part{front.bytes.data() + front.sent, front.bytes.size() - front.sent};
  FdControl control{};
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  if (front.sent == 0) attach_fds(message, control, front.fds);
  const ssize_t n = ::sendmsg(fd_.get(), &message, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n >= 0) return static_cast<std::size_t>(n);
  if (errno == EAGAIN || errno == EINTR) return std::size_t{0};
  return errno_error(Errc::peer_down, "writing to the socket");
}

Status Connection::write_some() {
  while (!out_.empty()) {
    Outgoing& front = out_.front();
    KRG_TRY_ASSIGN(const std::size_t n, send_front(front));
    if (n == 0) return {};
    front.fds.clear();
    front.sent += n;
    queued_ -= n;
    if (front.sent < front.bytes.size()) continue;
    out_.pop_front();
    if (has_room()) room_.set();
  }
  return {};
}

}  // namespace krg::gate

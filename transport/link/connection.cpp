#include "connection.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>

#include "krg/log/log.h"
#include "krg/wire/codec.h"

namespace krg::link {
namespace {

constexpr std::size_t kOutMax = 256 * 1024;
constexpr int kReadsPerEvent = 4;  // Then the other descriptors get their turn.
constexpr Duration kByeLimit = std::chrono::seconds(2);

// A peer whose machine or network is gone sends no FIN. Membership notices first; this bounds the
// case in which nobody asks.
void set_options(int fd) noexcept {
  const auto set = [fd](int level, int name, int value) {
    setsockopt(fd, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, 5);
  set(IPPROTO_TCP, TCP_KEEPINTVL, 2);
  set(IPPROTO_TCP, TCP_KEEPCNT, 4);
  set(IPPROTO_TCP, TCP_USER_TIMEOUT, 15000);
}

}  // namespace

Connection::Connection(reactor::Reactor& reactor, ConnectionOwner& owner, UniqueFd socket,
                       const Address& remote, const Handshake::Options& handshake)
    : reactor_(reactor),
      owner_(owner),
      socket_(std::move(socket)),
      remote_(remote),
      role_(handshake.role),
      wanted_(handshake.wanted),
      state_(role_ == Handshake::Role::initiator ? State::connecting : State::handshaking),
      handshake_(handshake) {}

Status Connection::start(Deadline deadline) {
  set_options(socket_.get());
  reactor_.add_timer(*this, deadline);
  return reactor_.watch(socket_.get(), initiator() ? EPOLLOUT : EPOLLIN, *this);
}

void Connection::on_fd(std::uint32_t events) noexcept {
  if (state_ == State::connecting) return finish_connect();
  if ((events & EPOLLOUT) != 0) flush();
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) read_some();
}

void Connection::finish_connect() noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(socket_.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    return end(Error(Errc::unreachable, "connecting").with_native(error), false);
  }
  // An event may still be about another connection, which had this descriptor's number before.
  Address peer;
  peer.size = sizeof peer.storage;
  auto* storage = reinterpret_cast<sockaddr*>(&peer.storage);
  if (::getpeername(socket_.get(), storage, &peer.size) != 0) return;
  state_ = State::handshaking;
  if (const Status watched = reactor_.watch(socket_.get(), EPOLLIN, *this); !watched) {
    return end(watched.error(), false);
  }
  handshake_.begin(out_);
  flush();
}

void Connection::read_some() noexcept {
  if (aborted_) return end(*aborted_, false);
  std::array<std::byte, 16 * 1024> chunk;
  for (int i = 0; i < kReadsPerEvent && state_ != State::ended; ++i) {
    const ssize_t n = ::recv(socket_.get(), chunk.data(), chunk.size(), 0);
    if (n > 0) {
      take(std::span(chunk).first(static_cast<std::size_t>(n)));
      if (static_cast<std::size_t>(n) < chunk.size()) return;
    } else if (n == 0) {
      return end(end_of_stream(), false);
    } else if (errno != EINTR) {
      if (errno == EAGAIN) return;
      const int error = errno;
      return end(end_of_stream().with_native(error), false);
    }
  }
}

// What it means that the stream ended here.
Error Connection::end_of_stream() const noexcept {
  if (state_ >= State::greeting) return Error(Errc::peer_down, "connection lost");
  if (initiator()) return Error(Errc::unreachable, "closed by the peer during the handshake");
  return Error(Errc::protocol_error, "it ended during the handshake");
}

void Connection::take(std::span<const std::byte> bytes) noexcept {
  if (state_ == State::handshaking) take_handshake(bytes);
  if (!reader_ || state_ == State::ended) return;
  reader_->push(bytes);
  while (state_ != State::ended) {
    const auto frame = reader_->next();
    if (!frame) {
      KRG_WARN("link to node {} dropped: {}", node().value, frame.error().message());
      return end(frame.error(), false);
    }
    if (!*frame) return;
    take_frame(**frame);
  }
}

// Uses the front of `bytes`.
void Connection::take_handshake(std::span<const std::byte>& bytes) noexcept {
  bytes = bytes.subspan(handshake_.feed(bytes, out_));
  flush();
  if (handshake_.state() == Handshake::State::failed) return end(handshake_.error(), false);
  if (handshake_.state() != Handshake::State::proven) return;
  state_ = State::judging;
  writer_.emplace(handshake_.session().send_key);
  reader_.emplace(handshake_.session().receive_key);
  if (!initiator()) owner_.on_proven(*this);
}

void Connection::take_frame(const Frame& frame) noexcept {
  if (frame.type == FrameType::verdict && state_ == State::judging && initiator()) {
    return take_verdict(frame.payload);
  }
  if (frame.type == FrameType::greeting && state_ == State::greeting) {
    return take_greeting(frame.payload);
  }
  if (frame.type == FrameType::message && state_ == State::up) {
    return owner_.on_message(*this, frame.payload);
  }
  if (frame.type == FrameType::bye && state_ == State::up) {
    say_bye();
    return end(Error(Errc::peer_down, "closed by the peer"), true);
  }
  KRG_WARN("link to node {} dropped: a frame of type {} at the wrong time", node().value,
           static_cast<int>(frame.type));
  end(Error(Errc::protocol_error, "frame at the wrong time"), false);
}

void Connection::take_verdict(std::span<const std::byte> payload) noexcept {
  const auto verdict = wire::decode<Verdict>(payload);
  if (!verdict || *verdict > Verdict::stale) {
    return end(Error(Errc::protocol_error, "malformed verdict"), false);
  }
  if (*verdict == Verdict::accepted) state_ = State::greeting;
  owner_.on_verdict(*this, *verdict);
}

void Connection::take_greeting(std::span<const std::byte> payload) noexcept {
  const auto greeting = wire::decode<Greeting>(payload);
  if (!greeting) return end(Error(Errc::protocol_error, "malformed greeting"), false);
  owner_.on_greeting(*this, *greeting);
}

void Connection::establish(bool shares_memory) noexcept {
  state_ = State::up;
  shares_memory_ = shares_memory;
  unlink();  // The handshake's deadline.
}

void Connection::accept() noexcept {
  frame_out(FrameType::verdict, wire::encode(Verdict::accepted));
  state_ = State::greeting;
}

void Connection::deny(Verdict verdict) noexcept {
  frame_out(FrameType::verdict, wire::encode(verdict));
  discard();
}

void Connection::greet(const Greeting& greeting) {
  const std::vector<std::byte> bytes = wire::encode(greeting);
  frame_out(FrameType::greeting, bytes);
}

Status Connection::send(std::span<const std::byte> message) {
  KRG_ASSERT(message.size() <= kMessageMax);
  if (state_ != State::up || bye_sent_ || aborted_) return Error(Errc::peer_down);
  if (out_.size() - out_at_ > kOutMax) return Error(Errc::would_block);
  frame_out(FrameType::message, message);
  return {};
}

void Connection::say_bye() noexcept {
  if (bye_sent_ || state_ != State::up) return;
  bye_sent_ = true;
  frame_out(FrameType::bye, {});
}

void Connection::close() noexcept {
  if (state_ != State::up || bye_sent_ || aborted_) return;
  say_bye();
  reactor_.add_timer(*this, reactor_.after(kByeLimit));
}

void Connection::abort(Error why) noexcept {
  if (state_ == State::ended || aborted_) return;
  aborted_ = why;
  // The descriptor now reads as ended, which tells the owner from the reactor's loop and not from
  // here.
  ::shutdown(socket_.get(), SHUT_RDWR);
}

void Connection::frame_out(FrameType type, std::span<const std::byte> payload) {
  writer_->append(out_, type, payload);
  flush();
}

void Connection::flush() noexcept {
  while (out_at_ < out_.size()) {
    const ssize_t n =
        ::send(socket_.get(), out_.data() + out_at_, out_.size() - out_at_, MSG_NOSIGNAL);
    if (n > 0) {
      out_at_ += static_cast<std::size_t>(n);
    } else if (errno != EINTR) {
      // Nothing is told from here: a broken connection reads as ended, in the reactor's next look.
      if (errno != EAGAIN) out_at_ = out_.size();
      break;
    }
  }
  const bool all = out_at_ == out_.size();
  if (all) {
    out_.clear();
    out_at_ = 0;
  }
  if (all == watching_out_ && socket_) {
    watching_out_ = !all;
    // Cannot fail: the descriptor is watched already.
    (void)reactor_.watch(socket_.get(), all ? EPOLLIN : EPOLLIN | EPOLLOUT, *this);
  }
}

void Connection::on_timer() noexcept {
  if (bye_sent_) return end(Error(Errc::peer_down, "no answer to the goodbye"), false);
  if (initiator()) return end(Error(Errc::unreachable, "no answer in time"), false);
  end(Error(Errc::timed_out, "its handshake took too long"), false);
}

void Connection::discard() noexcept {
  if (state_ == State::ended) return;
  state_ = State::ended;
  unlink();
  reactor_.unwatch(socket_.get());
  socket_.reset();
}

void Connection::withdraw() noexcept {
  if (initiator() && state_ <= State::handshaking) {
    if (state_ == State::connecting) handshake_.begin(out_);
    Handshake::withdraw(out_);
    flush();
  }
  discard();
}

void Connection::end(Error why, bool graceful) noexcept {
  if (state_ == State::ended) return;
  const Progress reached = state_;
  discard();
  owner_.on_ended(*this, reached, why, graceful);
}

}  // namespace krg::link

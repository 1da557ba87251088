#include "pipe_end.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>

namespace krg::moves {

PipeEnd::PipeEnd(reactor::Reactor& reactor, UniqueFd socket)
    : reactor_(reactor), socket_(std::move(socket)), readable_(reactor), writable_(reactor) {
  readable_.set();
  writable_.set();
}

PipeEnd::~PipeEnd() { reactor_.unwatch(socket_.get()); }

// For what somebody has found not to be there.
void PipeEnd::watch() noexcept {
  std::uint32_t events = 0;
  if (!readable_.is_set()) events |= EPOLLIN;
  if (!writable_.is_set()) events |= EPOLLOUT;
  if (events == 0) return reactor_.unwatch(socket_.get());
  (void)reactor_.watch(socket_.get(), events, *this);
}

void PipeEnd::on_fd(std::uint32_t events) noexcept {
  if ((events & ~static_cast<std::uint32_t>(EPOLLOUT)) != 0) readable_.set();
  if ((events & ~static_cast<std::uint32_t>(EPOLLIN)) != 0) writable_.set();
  watch();
}

Co<std::vector<std::byte>> PipeEnd::read(std::size_t most) {
  std::vector<std::byte> bytes(most);
  while (true) {
    const ssize_t n = recv(socket_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      readable_.clear();
      watch();
      (void)co_await readable_.wait(Deadline::never());  // See the header.
      continue;
    }
    bytes.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
    co_return bytes;
  }
}

Co<Status> PipeEnd::write(std::vector<std::byte> bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t n =
        send(socket_.get(), bytes.data() + done, bytes.size() - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) {
      writable_.clear();
      watch();
      (void)co_await writable_.wait(Deadline::never());  // See the header.
      continue;
    }
    if (n < 0) co_return Error(Errc::peer_down, "the mover is gone");
    done += static_cast<std::size_t>(n);
  }
  co_return Status();
}

void PipeEnd::end_writing() noexcept { (void)shutdown(socket_.get(), SHUT_WR); }
void PipeEnd::close() noexcept { (void)shutdown(socket_.get(), SHUT_RDWR); }

}  // namespace krg::moves

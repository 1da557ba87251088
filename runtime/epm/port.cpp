#include "krg/epm/port.h"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "krg/base/assert.h"

namespace krg::epm {

Port::Port(reactor::Reactor& reactor, UniqueFd socket, Heard heard)
    : reactor_(reactor),
      socket_(std::move(socket)),
      heard_(std::move(heard)),
      buffer_(kMessageMax + sizeof(std::uint16_t)) {
  KRG_ASSERT(reactor_.watch(socket_.get(), EPOLLIN, *this));
}

Port::~Port() { reactor_.unwatch(socket_.get()); }

Result<std::pair<UniqueFd, UniqueFd>> Port::make() {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
    return errno_error(Errc::limit_reached, "no descriptors for a mover");
  }
  return std::pair(UniqueFd(ends[0]), UniqueFd(ends[1]));
}

Status Port::send(std::uint16_t type, wire::Bytes body, int fd) {
  if (body.size() > kMessageMax) return Error(Errc::too_large, "a message to or from a mover");
  iovec parts[2] = {{&type, sizeof type}, {const_cast<std::byte*>(body.data()), body.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof fd)] = {};
  if (fd >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* const rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof fd);
    std::memcpy(CMSG_DATA(rights), &fd, sizeof fd);
  }
  // A side that does not read a handful of messages is as good as gone.
  if (sendmsg(socket_.get(), &message, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
    return errno_error(Errc::peer_down, "the mover is gone");
  }
  return {};
}

void Port::on_fd(std::uint32_t) noexcept {
  std::uint16_t type = 0;
  iovec parts[2] = {{&type, sizeof type}, {buffer_.data(), buffer_.size()}};
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = 2;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t n = recvmsg(socket_.get(), &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  UniqueFd fd;
  const cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  if (n > 0 && rights != nullptr && rights->cmsg_type == SCM_RIGHTS) {
    int passed = -1;
    std::memcpy(&passed, CMSG_DATA(rights), sizeof passed);
    fd.reset(passed);
  }
  if (n < static_cast<ssize_t>(sizeof type)) {
    reactor_.unwatch(socket_.get());
    return heard_(0, {}, UniqueFd());
  }
  // A copy: the handler may destroy this port.
  const std::vector<std::byte> body(buffer_.begin(), buffer_.begin() + (n - 2));
  const Heard heard = heard_;
  heard(type, body, std::move(fd));
}

}  // namespace krg::epm

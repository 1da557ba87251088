#include "link.h"

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

namespace krg::pmix::testing {

void Link::send(Head head, const Blob& body) {
  head.size = static_cast<std::uint32_t>(body.size());
  Blob bytes(sizeof head + body.size());
  std::memcpy(bytes.data(), &head, sizeof head);
  if (!body.empty()) std::memcpy(bytes.data() + sizeof head, body.data(), body.size());
  for (std::size_t at = 0; at < bytes.size();) {
    const ssize_t n = ::send(fd_.get(), bytes.data() + at, bytes.size() - at, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0 && errno == EAGAIN) {
      pollfd wait{fd_.get(), POLLOUT, 0};
      ::poll(&wait, 1, -1);
      continue;
    }
    if (n <= 0) return;  // The other side is gone; receive() will tell.
    at += static_cast<std::size_t>(n);
  }
}

bool Link::receive() {
  std::array<std::byte, 65536> bytes;
  const ssize_t n = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  if (n < 0) return errno == EAGAIN || errno == EINTR;
  input_.insert(input_.end(), bytes.begin(), bytes.begin() + n);
  return n > 0;
}

bool Link::next(Frame& frame) {
  const std::size_t left = input_.size() - at_;
  if (left < sizeof frame.head) return false;
  std::memcpy(&frame.head, input_.data() + at_, sizeof frame.head);
  if (left - sizeof frame.head < frame.head.size) return false;
  const auto body = input_.begin() + static_cast<std::ptrdiff_t>(at_ + sizeof frame.head);
  frame.body.assign(body, body + frame.head.size);
  at_ += sizeof frame.head + frame.head.size;
  if (at_ == input_.size()) {
    input_.clear();
    at_ = 0;
  }
  return true;
}

}  // namespace krg::pmix::testing

#include "input.h"

#include <sys/epoll.h>
#include <unistd.h>

#include <cerrno>

namespace krg::runner {
namespace {

constexpr std::size_t kPiece = 64 * 1024;

bool in_background() {
  const pid_t foreground = tcgetpgrp(STDIN_FILENO);
  return foreground >= 0 && foreground != getpgrp();
}

}  // namespace

InputReader::InputReader(reactor::Reactor& reactor, Take take)
    : reactor_(reactor), take_(std::move(take)) {}

InputReader::~InputReader() { stop(); }

void InputReader::more() {
  if (ended_ || watching_) return;
  wanted_ = true;
  if (in_background()) return;
  wanted_ = false;
  if (reactor_.watch(STDIN_FILENO, EPOLLIN, *this)) {
    watching_ = true;
  } else {
    read_once();  // A regular file: always readable, and epoll does not take it.
  }
}

void InputReader::stop() noexcept {
  ended_ = true;
  if (watching_) reactor_.unwatch(STDIN_FILENO);
  watching_ = false;
}

void InputReader::on_fd(std::uint32_t) noexcept {
  reactor_.unwatch(STDIN_FILENO);
  watching_ = false;
  read_once();
}

void InputReader::read_once() {
  std::vector<std::byte> piece(kPiece);
  ssize_t n;
  do {
    n = read(STDIN_FILENO, piece.data(), piece.size());
  } while (n < 0 && errno == EINTR);
  if (n <= 0) ended_ = true;
  piece.resize(n > 0 ? static_cast<std::size_t>(n) : 0);
  take_(std::move(piece));
}

}  // namespace krg::runner

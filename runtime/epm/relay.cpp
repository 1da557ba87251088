#include "relay.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>

namespace krg::epm {
namespace {

bool is_readable(int fd) {
  pollfd one{fd, POLLIN, 0};
  return poll(&one, 1, 0) > 0 && (one.revents & (POLLIN | POLLHUP)) != 0;
}

}  // namespace

struct Relays::One final : reactor::FdHandler {
  One(Relays& r, std::uint64_t n, UniqueFd f, bool in, bool out)
      : relays(r), number(n), fd(std::move(f)), reads(in), writes(out) {
    struct stat status {};
    socket = fstat(fd.get(), &status) == 0 && S_ISSOCK(status.st_mode);
  }
  ~One() { relays.reactor_.unwatch(fd.get()); }
  void on_fd(std::uint32_t events) noexcept override {
    if (writes && !reads && (events & EPOLLERR) != 0) relays.finish_writing(*this, true);
    if (reads && (events & (EPOLLIN | EPOLLHUP)) != 0) relays.read_some(*this, false);
    if (writes && (events & EPOLLOUT) != 0) relays.write_some(*this);
    relays.attend(*this);
  }

  Relays& relays;
  const std::uint64_t number;
  UniqueFd fd;
  bool reads;
  bool writes;
  bool socket = false;
  bool ends = false;             // After what waits, nothing more is written.
  bool at_end = false;           // Nothing more is there to be read: the other mover is told,
  bool broken = false;           // as it is that nobody reads what it sends.
  std::uint64_t sent = 0;        // And not taken yet.
  std::vector<std::byte> again;  // To be sent before what is read next.
  std::vector<std::byte> waits;  // To be written.
};

Relays::Relays(reactor::Reactor& reactor, Out out) : reactor_(reactor), out_(std::move(out)) {}
Relays::~Relays() = default;

void Relays::add(std::uint64_t relay, UniqueFd fd, bool reads, bool writes) {
  relays_[relay] = std::make_unique<One>(*this, relay, std::move(fd), reads, writes);
  attend(*relays_[relay]);
}

void Relays::start() {
  running_ = true;
  for (auto& [number, one] : relays_) {
    if (!one->again.empty()) send(*one, std::exchange(one->again, {}));
    if (one->at_end) out_.end({number, false});
    if (one->broken) out_.end({number, true});
    attend(*one);
  }
}

void Relays::pause() noexcept {
  running_ = false;
  for (auto& [number, one] : relays_) attend(*one);
}

// Watches for what can be dealt with.
void Relays::attend(One& one) {
  if (!one.fd) return;
  std::uint32_t events = 0;
  const bool may_read = one.reads && running_ && one.sent < kWindow;
  if (may_read) events |= EPOLLIN;
  if (one.writes && !one.waits.empty()) events |= EPOLLOUT;
  // A pipe whose reader is gone says so unasked, again and again: only while somebody listens.
  if (events == 0 && !(running_ && one.writes && !one.reads)) return reactor_.unwatch(one.fd.get());
  (void)reactor_.watch(one.fd.get(), events, one);
}

void Relays::send(One& one, std::vector<std::byte> bytes) {
  one.sent += bytes.size();
  out_.data({one.number, std::move(bytes)});
}

void Relays::read_some(One& one, bool all) {
  while (one.fd && one.reads && is_readable(one.fd.get())) {
    std::vector<std::byte> bytes(16 * 1024);
    const ssize_t n = read(one.fd.get(), bytes.data(), bytes.size());
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
    if (n <= 0) return finish_reading(one);
    bytes.resize(static_cast<std::size_t>(n));
    send(one, std::move(bytes));
    if (!all) return;
  }
}

void Relays::finish_reading(One& one) {
  one.reads = false;
  one.at_end = true;
  if (running_) out_.end({one.number, false});
  if (!one.writes) {
    reactor_.unwatch(one.fd.get());
    one.fd.reset();
  }
}

void Relays::finish_writing(One& one, bool broken) {
  one.writes = false;
  one.waits.clear();
  one.broken = one.broken || broken;
  if (broken && running_) out_.end({one.number, true});
  if (one.fd && one.reads) {
    (void)shutdown(one.fd.get(), SHUT_WR);
  } else if (one.fd) {
    reactor_.unwatch(one.fd.get());
    one.fd.reset();
  }
}

void Relays::write_some(One& one) {
  std::uint64_t done = 0;
  while (one.fd && done < one.waits.size()) {
    pollfd room{one.fd.get(), POLLOUT, 0};
    if (poll(&room, 1, 0) <= 0 || (room.revents & (POLLOUT | POLLERR)) == 0) break;
    const std::size_t part = std::min<std::size_t>(one.waits.size() - done, PIPE_BUF);
    const ssize_t n = one.socket ? ::send(one.fd.get(), one.waits.data() + done, part,
                                          MSG_NOSIGNAL | MSG_DONTWAIT)
                                 : write(one.fd.get(), one.waits.data() + done, part);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) break;
    if (n < 0) return finish_writing(one, true);
    done += static_cast<std::uint64_t>(n);
  }
  if (done == 0) return;
  one.waits.erase(one.waits.begin(), one.waits.begin() + static_cast<std::ptrdiff_t>(done));
  out_.taken({one.number, done});
  if (one.ends && one.waits.empty()) finish_writing(one, false);
}

void Relays::drain() {
  for (auto& [number, one] : relays_) {
    if (one->reads) read_some(*one, true);
  }
}

std::vector<std::byte> Relays::take_unwritten(std::uint64_t relay) {
  const auto at = relays_.find(relay);
  return at == relays_.end() ? std::vector<std::byte>() : std::exchange(at->second->waits, {});
}

void Relays::rewind(std::uint64_t relay, std::vector<std::byte> unread) {
  const auto at = relays_.find(relay);
  if (at == relays_.end()) return;
  at->second->sent = 0;
  at->second->again = std::move(unread);
}

void Relays::rewind_all() {
  for (const auto& [number, one] : relays_) rewind(number, {});
}

bool Relays::unwritten() const noexcept {
  return std::any_of(relays_.begin(), relays_.end(), [](const auto& entry) {
    return entry.second->fd && !entry.second->waits.empty();
  });
}

void Relays::on_data(const RelayData& data) {
  const auto at = relays_.find(data.relay);
  if (at == relays_.end() || !at->second->writes || data.bytes.empty()) return;
  One& one = *at->second;
  one.waits.insert(one.waits.end(), data.bytes.begin(), data.bytes.end());
  write_some(one);
  attend(one);
}

void Relays::on_taken(const RelayTaken& taken) {
  const auto at = relays_.find(taken.relay);
  if (at == relays_.end()) return;
  at->second->sent -= std::min(at->second->sent, taken.bytes);
  attend(*at->second);
}

void Relays::on_end(const RelayEnd& end) {
  const auto at = relays_.find(end.relay);
  if (at == relays_.end()) return;
  One& one = *at->second;
  if (end.broken) {
    // Nobody reads what we send: whoever writes to our descriptor shall know.
    one.reads = false;
    if (one.fd && !one.writes) {
      reactor_.unwatch(one.fd.get());
      one.fd.reset();
    }
  } else if (one.waits.empty()) {
    finish_writing(one, false);
  } else {
    one.ends = true;
  }
  attend(one);
}

}  // namespace krg::epm

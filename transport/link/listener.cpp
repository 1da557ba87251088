#include "listener.h"

#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cerrno>

#include "krg/log/log.h"

namespace krg::link {
namespace {

constexpr int kBacklog = 1024;
constexpr int kAcceptsPerEvent = 16;
constexpr Duration kShortagePause = std::chrono::milliseconds(100);

Address wildcard(int family) {
  Address any;
  any.storage.ss_family = static_cast<sa_family_t>(family);
  any.size = family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6);
  return any;
}

// Interfaces are switched on before they run: right after a container is made there may be none
// yet.
void wait_for_interface(Duration limit) {
  const reactor::RealClock clock;
  const TimePoint end = clock.now() + limit;
  while (interface_is_coming_up() && clock.now() < end) ::poll(nullptr, 0, 5);
}

std::string join(const std::vector<Address>& addresses, std::uint16_t port, bool v4_only) {
  std::string list;
  for (Address a : addresses) {
    if (v4_only && a.family() != AF_INET) continue;
    a.set_port(port);
    if (!list.empty()) list += ',';
    list += a.print();
  }
  return list;
}

}  // namespace

Listener::~Listener() {
  if (socket_) reactor_.unwatch(socket_.get());
}

Status Listener::bind(const Address& where) {
  socket_.reset(::socket(where.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket_) return errno_error(Errc::system_error, "making the socket to listen on");
  const int on = 1;
  const int off = 0;
  setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  if (where.family() == AF_INET6) {
    setsockopt(socket_.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  }
  if (::bind(socket_.get(), where.get(), where.size) != 0) {
    const bool not_ours = errno == EADDRNOTAVAIL;
    return errno_error(not_ours ? Errc::invalid_argument : Errc::system_error,
                       "binding the address to listen on");
  }
  if (::listen(socket_.get(), kBacklog) != 0) return errno_error(Errc::system_error, "listening");
  return {};
}

Status Listener::open(const std::string& where, Duration interface_wait) {
  Address address = wildcard(AF_INET6);
  if (!where.empty()) {
    KRG_TRY_ASSIGN(address, resolve(where));
  }
  if (address.is_wildcard()) wait_for_interface(interface_wait);
  Status bound = bind(address);
  if (!bound && where.empty()) {  // A kernel without IPv6.
    address = wildcard(AF_INET);
    bound = bind(address);
  }
  KRG_TRY(bound);

  Address actual = address;
  if (getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&actual.storage), &actual.size) != 0) {
    return errno_error(Errc::system_error, "asking for the port");
  }
  address_ = address.is_wildcard()
                 ? join(local_addresses(), actual.port(), address.family() == AF_INET)
                 : actual.print();
  if (address_.empty()) return Error(Errc::no_device, "no network interface is up");
  return reactor_.watch(socket_.get(), EPOLLIN, *this);
}

void Listener::pause() noexcept {
  if (paused_) return;
  paused_ = true;
  reactor_.unwatch(socket_.get());
}

void Listener::resume() noexcept {
  if (!paused_) return;
  unlink();
  paused_ = false;
  if (const Status watched = reactor_.watch(socket_.get(), EPOLLIN, *this); !watched) {
    KRG_ERROR("link: no longer listening: {}", watched.error().message());
  }
}

void Listener::on_fd(std::uint32_t) noexcept {
  for (int i = 0; i < kAcceptsPerEvent && !paused_; ++i) {
    Address remote;
    remote.size = sizeof remote.storage;
    UniqueFd socket(::accept4(socket_.get(), reinterpret_cast<sockaddr*>(&remote.storage),
                              &remote.size, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket) {
      short_of_descriptors_ = false;
      owner_.on_call(std::move(socket), remote.unmapped());
      continue;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      if (!short_of_descriptors_) {
        KRG_WARN("link: cannot accept connections: {}; raise `ulimit -n`",
                 errno_error(Errc::limit_reached, "no file descriptor left").message());
      }
      short_of_descriptors_ = true;
      pause();
      reactor_.add_timer(*this, reactor_.after(kShortagePause));
    }
    return;
  }
}

}  // namespace krg::link

#include "krg/detector/udp_port.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <sodium.h>
#include <sys/socket.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace krg::detector {
namespace {

constexpr std::size_t kTag = 16;
constexpr int kPerTurn = 64;

bool make_tag(std::span<std::byte, kTag> tag, wire::Bytes datagram, const DatagramKey& key) {
  return crypto_generichash(reinterpret_cast<unsigned char*>(tag.data()), tag.size(),
                            reinterpret_cast<const unsigned char*>(datagram.data()),
                            datagram.size(), reinterpret_cast<const unsigned char*>(key.data()),
                            key.size()) == 0;
}

socklen_t length(const sockaddr_storage& address) noexcept {
  return address.ss_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in);
}

Result<sockaddr_storage> parse(const std::string& text) {
  const Error wrong(Errc::invalid_argument, "datagram address: want ip:port");
  const std::size_t colon = text.rfind(':');
  if (colon == std::string::npos) return wrong;
  std::uint16_t port = 0;
  const char* const end = text.data() + text.size();
  const auto [at, bad] = std::from_chars(text.data() + colon + 1, end, port);
  if (bad != std::errc() || at != end) return wrong;
  std::string host = text.substr(0, colon);
  sockaddr_storage result{};
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    auto& six = reinterpret_cast<sockaddr_in6&>(result);
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    if (inet_pton(AF_INET6, host.c_str(), &six.sin6_addr) != 1) return wrong;
    return result;
  }
  auto& four = reinterpret_cast<sockaddr_in&>(result);
  four.sin_family = AF_INET;
  four.sin_port = htons(port);
  if (inet_pton(AF_INET, host.c_str(), &four.sin_addr) != 1) return wrong;
  return result;
}

std::string format(const sockaddr_storage& address) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  if (address.ss_family == AF_INET6) {
    const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
    inet_ntop(AF_INET6, &six.sin6_addr, text.data(), text.size());
    return std::string("[") + text.data() + "]:" + std::to_string(ntohs(six.sin6_port));
  }
  const auto& four = reinterpret_cast<const sockaddr_in&>(address);
  inet_ntop(AF_INET, &four.sin_addr, text.data(), text.size());
  return std::string(text.data()) + ":" + std::to_string(ntohs(four.sin_port));
}

// Whether the control messages of an error queue's entry say that a port is closed.
bool tells_refused(msghdr& message) noexcept {
  for (cmsghdr* c = CMSG_FIRSTHDR(&message); c != nullptr; c = CMSG_NXTHDR(&message, c)) {
    const bool is_error = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                          (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
    if (!is_error) continue;
    sock_extended_err error{};
    std::memcpy(&error, CMSG_DATA(c), sizeof error);
    const bool from_wire =
        error.ee_origin == SO_EE_ORIGIN_ICMP || error.ee_origin == SO_EE_ORIGIN_ICMP6;
    if (from_wire && error.ee_errno == ECONNREFUSED) return true;
  }
  return false;
}

}  // namespace

UdpPort::UdpPort(reactor::Reactor& reactor, UniqueFd fd, const DatagramKey& key) noexcept
    : reactor_(reactor), fd_(std::move(fd)), key_(key) {}

UdpPort::~UdpPort() { reactor_.unwatch(fd_.get()); }

Result<std::unique_ptr<UdpPort>> UdpPort::open(reactor::Reactor& reactor,
                                               const std::string& address, const DatagramKey& key) {
  if (sodium_init() < 0) return Error(Errc::system_error, "libsodium: no source of randomness");
  KRG_TRY_ASSIGN(const sockaddr_storage bound, parse(address));
  UniqueFd fd(::socket(bound.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return errno_error(Errc::system_error, "datagrams: socket");
  const bool six = bound.ss_family == AF_INET6;
  const int on = 1;
  if (::setsockopt(fd.get(), six ? int{IPPROTO_IPV6} : int{IPPROTO_IP},
                   six ? IPV6_RECVERR : IP_RECVERR, &on, sizeof on) != 0) {
    return errno_error(Errc::system_error, "datagrams: IP_RECVERR");
  }
  if (::bind(fd.get(), reinterpret_cast<const sockaddr*>(&bound), length(bound)) != 0) {
    return errno_error(Errc::system_error, "datagrams: bind");
  }
  std::unique_ptr<UdpPort> port(new UdpPort(reactor, std::move(fd), key));
  KRG_TRY(reactor.watch(port->fd_.get(), EPOLLIN, *port));
  return port;
}

std::string UdpPort::address() const {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) return "";
  return format(bound);
}

Status UdpPort::set_peer(NodeId node, const std::string& address) {
  if (const auto before = peers_.find(node); before != peers_.end()) {
    nodes_.erase(format(before->second));
    peers_.erase(before);
  }
  if (address.empty()) return {};
  KRG_TRY_ASSIGN(const sockaddr_storage where, parse(address));
  peers_[node] = where;
  nodes_[format(where)] = node;
  return {};
}

void UdpPort::send(NodeId to, wire::Bytes datagram) noexcept {
  const auto peer = peers_.find(to);
  if (peer == peers_.end() || datagram.size() > kDatagramMax) return;
  std::array<std::byte, kDatagramMax + kTag> bytes;
  std::memcpy(bytes.data(), datagram.data(), datagram.size());
  if (!make_tag(std::span(bytes).subspan(datagram.size()).first<kTag>(), datagram, key_)) return;
  // A waiting error of an earlier datagram is reported, and cleared, instead of sending: once more.
  for (int attempt = 0; attempt < 2; ++attempt) {
    if (::sendto(fd_.get(), bytes.data(), datagram.size() + kTag, MSG_DONTWAIT | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&peer->second), length(peer->second)) >= 0) {
      return;
    }
  }
}

void UdpPort::on_fd(std::uint32_t events) noexcept {
  if ((events & EPOLLERR) != 0) read_errors();
  if ((events & EPOLLIN) != 0) receive();
}

void UdpPort::receive() noexcept {
  std::array<std::byte, kDatagramMax + kTag + 1> bytes;
  for (int i = 0; i < kPerTurn; ++i) {
    const ssize_t size = ::recv(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (size < static_cast<ssize_t>(kTag) || size == static_cast<ssize_t>(bytes.size())) continue;
    const wire::Bytes datagram = wire::Bytes(bytes).first(static_cast<std::size_t>(size) - kTag);
    std::array<std::byte, kTag> tag;
    if (!make_tag(tag, datagram, key_)) continue;
    if (sodium_memcmp(tag.data(), bytes.data() + datagram.size(), kTag) != 0) continue;
    sink_->on_datagram(datagram);
  }
}

void UdpPort::read_errors() noexcept {
  for (int i = 0; i < kPerTurn; ++i) {
    sockaddr_storage to{};
    std::array<std::byte, kDatagramMax + kTag> bytes;
    alignas(cmsghdr) std::array<std::byte, 512> control;
    iovec part{bytes.data(), bytes.size()};
    msghdr message{};
    message.msg_name = &to;
    message.msg_namelen = sizeof to;
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    if (::recvmsg(fd_.get(), &message, MSG_ERRQUEUE | MSG_DONTWAIT) < 0) return;
    if (!tells_refused(message)) continue;
    const auto node = nodes_.find(format(to));
    if (node != nodes_.end()) sink_->on_refused(node->second);
  }
}

}  // namespace krg::detector

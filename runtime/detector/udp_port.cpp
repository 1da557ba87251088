#include "krg/detector/udp_port.h"

#include <arpa/inet.h>
#include <linux/errqueue.h>
#include <sodium.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

namespace krg::detector {
namespace {

constexpr std::size_t kTag = 16;
constexpr int kPerTurn = 64;
constexpr std::size_t kCandidatesMax = 8;

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

// As a socket of IPv6 names an address of IPv4, and back.
sockaddr_storage mapped(const sockaddr_storage& address) noexcept {
  if (address.ss_family != AF_INET) return address;
  const auto& four = reinterpret_cast<const sockaddr_in&>(address);
  sockaddr_storage result{};
  auto& six = reinterpret_cast<sockaddr_in6&>(result);
  six.sin6_family = AF_INET6;
  six.sin6_port = four.sin_port;
  six.sin6_addr.s6_addr[10] = six.sin6_addr.s6_addr[11] = 0xff;
  std::memcpy(six.sin6_addr.s6_addr + 12, &four.sin_addr, sizeof four.sin_addr);
  return result;
}

sockaddr_storage unmapped(const sockaddr_storage& address) noexcept {
  const auto& six = reinterpret_cast<const sockaddr_in6&>(address);
  if (address.ss_family != AF_INET6 || !IN6_IS_ADDR_V4MAPPED(&six.sin6_addr)) return address;
  sockaddr_storage result{};
  auto& four = reinterpret_cast<sockaddr_in&>(result);
  four.sin_family = AF_INET;
  four.sin_port = six.sin6_port;
  std::memcpy(&four.sin_addr, six.sin6_addr.s6_addr + 12, sizeof four.sin_addr);
  return result;
}

// Every interface, of both families if the kernel has them.
UniqueFd bound_everywhere(bool& six) {
  UniqueFd fd(::socket(AF_INET6, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  const int off = 0;
  sockaddr_in6 any{};
  any.sin6_family = AF_INET6;
  six = fd && ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off) == 0 &&
        ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any), sizeof any) == 0;
  if (six) return fd;
  fd.reset(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  sockaddr_in any_four{};
  any_four.sin_family = AF_INET;
  if (fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&any_four), sizeof any_four) != 0) {
    fd.reset();
  }
  return fd;
}

UniqueFd bound_to(const sockaddr_storage& address) {
  UniqueFd fd(::socket(address.ss_family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (fd && ::bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), length(address)) != 0) {
    fd.reset();
  }
  return fd;
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

Result<DatagramKey> datagram_key(std::span<const std::byte, 32> cluster_key) {
  static constexpr char kPurpose[] = "krg heartbeats";
  if (sodium_init() < 0) return Error(Errc::system_error, "libsodium: no source of randomness");
  DatagramKey key;
  if (crypto_generichash(reinterpret_cast<unsigned char*>(key.data()), key.size(),
                         reinterpret_cast<const unsigned char*>(kPurpose), sizeof kPurpose - 1,
                         reinterpret_cast<const unsigned char*>(cluster_key.data()),
                         cluster_key.size()) != 0) {
    return Error(Errc::system_error, "libsodium: hashing the key");
  }
  return key;
}

UdpPort::UdpPort(reactor::Reactor& reactor, UniqueFd fd, bool six, const DatagramKey& key) noexcept
    : reactor_(reactor), fd_(std::move(fd)), six_(six), key_(key) {}

UdpPort::~UdpPort() { reactor_.unwatch(fd_.get()); }

Result<std::unique_ptr<UdpPort>> UdpPort::open(reactor::Reactor& reactor,
                                               const std::string& address, const DatagramKey& key) {
  KRG_TRY_ASSIGN(const sockaddr_storage bound, parse(address));
  return of(reactor, bound_to(bound), bound.ss_family == AF_INET6, key);
}

Result<std::unique_ptr<UdpPort>> UdpPort::open(reactor::Reactor& reactor, const DatagramKey& key) {
  bool six = false;
  UniqueFd fd = bound_everywhere(six);
  return of(reactor, std::move(fd), six, key);
}

Result<std::unique_ptr<UdpPort>> UdpPort::of(reactor::Reactor& reactor, UniqueFd fd, bool six,
                                             const DatagramKey& key) {
  if (sodium_init() < 0) return Error(Errc::system_error, "libsodium: no source of randomness");
  if (!fd) return errno_error(Errc::system_error, "datagrams: bind");
  const int on = 1;
  // One of IPv6 may also speak IPv4; where it may not, the second call fails, and nothing is lost.
  const bool told = six ? ::setsockopt(fd.get(), IPPROTO_IPV6, IPV6_RECVERR, &on, sizeof on) == 0
                        : ::setsockopt(fd.get(), IPPROTO_IP, IP_RECVERR, &on, sizeof on) == 0;
  if (!told) return errno_error(Errc::system_error, "datagrams: IP_RECVERR");
  if (six) (void)::setsockopt(fd.get(), IPPROTO_IP, IP_RECVERR, &on, sizeof on);
  std::unique_ptr<UdpPort> port(new UdpPort(reactor, std::move(fd), six, key));
  KRG_TRY(reactor.watch(port->fd_.get(), EPOLLIN, *port));
  return port;
}

std::string UdpPort::address() const {
  sockaddr_storage bound{};
  socklen_t size = sizeof bound;
  if (::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&bound), &size) != 0) return "";
  return format(bound);
}

std::string UdpPort::at(const std::vector<std::string>& hosts) const {
  const std::string bound = address();
  const std::string port = bound.substr(bound.rfind(':') + 1);
  std::string list;
  for (std::size_t i = 0; i < std::min(hosts.size(), kCandidatesMax); ++i) {
    list += (list.empty() ? "" : ",") + hosts[i] + ":" + port;
  }
  return list;
}

void UdpPort::forget(NodeId node) {
  const auto before = peers_.find(node);
  if (before == peers_.end()) return;
  if (before->second.candidates.size() > 1) --unsettled_;
  std::erase_if(nodes_, [&](const auto& entry) { return entry.second == node; });
  peers_.erase(before);
}

Status UdpPort::set_peer(NodeId node, const std::string& addresses) {
  const auto before = peers_.find(node);
  if (before != peers_.end() && before->second.text == addresses) return {};
  forget(node);
  if (addresses.empty()) return {};
  Peer peer{addresses, {}};
  for (std::size_t begin = 0; begin <= addresses.size();) {
    const std::size_t end = std::min(addresses.find(',', begin), addresses.size());
    KRG_TRY_ASSIGN(const sockaddr_storage where, parse(addresses.substr(begin, end - begin)));
    if (peer.candidates.size() == kCandidatesMax) {
      return Error(Errc::invalid_argument, "datagram address: too many");
    }
    peer.candidates.push_back(six_ ? mapped(where) : where);
    begin = end + 1;
  }
  for (const sockaddr_storage& where : peer.candidates) {
    const auto [at, fresh] = nodes_.try_emplace(format(unmapped(where)), node);
    if (!fresh && at->second != node) at->second = kNoNode;
  }
  if (peer.candidates.size() > 1) ++unsettled_;
  peers_[node] = std::move(peer);
  return {};
}

// The first address of a peer that is heard from is its present one.
void UdpPort::heard_from(const sockaddr_storage& address) {
  const std::string text = format(unmapped(address));
  const auto at = nodes_.find(text);
  const auto peer = at == nodes_.end() ? peers_.end() : peers_.find(at->second);
  if (peer == peers_.end() || peer->second.candidates.size() < 2) return;
  const NodeId node = at->second;
  std::erase_if(nodes_, [&](const auto& e) { return e.second == node && e.first != text; });
  peer->second.candidates = {address};
  --unsettled_;
}

void UdpPort::send(NodeId to, wire::Bytes datagram) noexcept {
  const auto peer = peers_.find(to);
  if (peer == peers_.end() || datagram.size() > kDatagramMax) return;
  std::array<std::byte, kDatagramMax + kTag> bytes;
  std::memcpy(bytes.data(), datagram.data(), datagram.size());
  if (!make_tag(std::span(bytes).subspan(datagram.size()).first<kTag>(), datagram, key_)) return;
  for (const sockaddr_storage& where : peer->second.candidates) {
    // A waiting error of an earlier datagram is reported, and cleared, instead of sending: once
    // more.
    for (int attempt = 0; attempt < 2; ++attempt) {
      if (::sendto(fd_.get(), bytes.data(), datagram.size() + kTag, MSG_DONTWAIT | MSG_NOSIGNAL,
                   reinterpret_cast<const sockaddr*>(&where), length(where)) >= 0) {
        break;
      }
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
    sockaddr_storage from{};
    socklen_t from_size = sizeof from;
    const ssize_t size = ::recvfrom(fd_.get(), bytes.data(), bytes.size(), MSG_DONTWAIT,
                                    reinterpret_cast<sockaddr*>(&from), &from_size);
    if (size < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) return;
    if (size < static_cast<ssize_t>(kTag) || size == static_cast<ssize_t>(bytes.size())) continue;
    const wire::Bytes datagram = wire::Bytes(bytes).first(static_cast<std::size_t>(size) - kTag);
    std::array<std::byte, kTag> tag;
    if (!make_tag(tag, datagram, key_)) continue;
    if (sodium_memcmp(tag.data(), bytes.data() + datagram.size(), kTag) != 0) continue;
    if (sink_ == nullptr) continue;
    if (unsettled_ > 0) heard_from(from);
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
    const auto node = nodes_.find(format(unmapped(to)));
    const auto peer = node == nodes_.end() ? peers_.end() : peers_.find(node->second);
    if (peer == peers_.end() || peer->second.candidates.size() > 1 || sink_ == nullptr) {
      continue;
    }
    sink_->on_refused(node->second);
  }
}

}  // namespace krg::detector

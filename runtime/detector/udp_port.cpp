#include "krg/detector/udp_port.h"

#include <sodium.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <string_view>

#include "krg/base/assert.h"

namespace krg::detector {
namespace {

constexpr std::uint32_t kMagic = 0x3144484bu;  // "KHD1"
constexpr std::size_t kHeader = 4 + 4 * 4 + 8;
constexpr std::size_t kDigest = 16;
// What one turn takes from the socket, so that a flood can not hold the thread.
constexpr int kDatagramsPerTurn = 256;
constexpr std::uint64_t kWindow = 64;

struct Header {
  std::uint32_t magic = kMagic;
  NodeId from;
  Incarnation from_life;
  NodeId to;
  Incarnation to_life;
  std::uint64_t number = 0;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.magic, m.from, m.from_life, m.to, m.to_life, m.number);
  }
};

unsigned char* raw(std::byte* bytes) noexcept { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* raw(const std::byte* bytes) noexcept {
  return reinterpret_cast<const unsigned char*>(bytes);
}

// A key of the detector's own: a hash of a datagram is no hash of anything else made by the
// cluster's key.
fabric::Key derive(const fabric::Key& cluster) noexcept {
  static const int ready = sodium_init();
  KRG_ASSERT(ready >= 0);
  constexpr std::string_view label = "krg detector datagram 1";
  fabric::Key key{};
  crypto_generichash(raw(key.data()), key.size(),
                     reinterpret_cast<const unsigned char*>(label.data()), label.size(),
                     raw(cluster.data()), cluster.size());
  return key;
}

Error refused(const char* what) { return Error(Errc::system_error, what).with_native(errno); }

}  // namespace

Result<std::unique_ptr<UdpPort>> UdpPort::open(reactor::Reactor& reactor,
                                               const link::Address& listen, const fabric::Key& key,
                                               NodeId self, Incarnation incarnation) {
  UniqueFd fd(::socket(listen.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) return refused("no socket for the detector's datagrams");
  if (::bind(fd.get(), listen.get(), listen.size) != 0) {
    return refused("the address for the detector's datagrams can not be bound");
  }
  std::unique_ptr<UdpPort> port(new UdpPort(reactor, std::move(fd), key, self, incarnation));
  KRG_TRY(reactor.watch(port->fd_.get(), EPOLLIN, *port));
  return port;
}

UdpPort::UdpPort(reactor::Reactor& reactor, UniqueFd fd, const fabric::Key& key, NodeId self,
                 Incarnation incarnation)
    : reactor_(reactor),
      fd_(std::move(fd)),
      key_(derive(key)),
      self_(self),
      incarnation_(incarnation) {}

UdpPort::~UdpPort() {
  reactor_.unwatch(fd_.get());
  sodium_memzero(key_.data(), key_.size());
}

void UdpPort::set_peer(NodeId node, Incarnation incarnation, const link::Address& address) {
  Peer& peer =
      peers_.try_emplace(node, Peer{.incarnation = incarnation, .address = address}).first->second;
  if (incarnation < peer.incarnation) return;
  if (incarnation == peer.incarnation) {
    peer.address = address;
  } else {
    peer = Peer{.incarnation = incarnation, .address = address};
  }
}

void UdpPort::remove_peer(NodeId node) { peers_.erase(node); }

link::Address UdpPort::address() const {
  link::Address address;
  address.size = sizeof address.storage;
  const int got =
      ::getsockname(fd_.get(), reinterpret_cast<sockaddr*>(&address.storage), &address.size);
  KRG_ASSERT(got == 0);
  return address;
}

UdpPort::Digest UdpPort::hash(Bytes bytes) const noexcept {
  Digest digest{};
  static_assert(sizeof digest == kDigest);
  crypto_generichash(raw(digest.data()), digest.size(), raw(bytes.data()), bytes.size(),
                     raw(key_.data()), key_.size());
  return digest;
}

void UdpPort::send(NodeId to, Bytes bytes) noexcept {
  KRG_ASSERT(bytes.size() <= kDatagramMax);
  const auto found = peers_.find(to);
  if (found == peers_.end()) {
    ++counts_.unsent;
    return;
  }
  Peer& peer = found->second;
  std::array<std::byte, kHeader + kDatagramMax + kDigest> datagram;
  wire::Encoder out{datagram};
  wire::put(out, Header{.from = self_,
                        .from_life = incarnation_,
                        .to = to,
                        .to_life = peer.incarnation,
                        .number = ++peer.sent});
  out.put_raw(bytes.data(), bytes.size());
  const Digest digest = hash(Bytes(datagram).first(out.size()));
  out.put_raw(digest.data(), digest.size());
  const auto sent = ::sendto(fd_.get(), datagram.data(), out.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                             peer.address.get(), peer.address.size);
  ++(sent == static_cast<ssize_t>(out.size()) ? counts_.sent : counts_.unsent);
}

void UdpPort::on_fd(std::uint32_t) noexcept {
  std::array<std::byte, kHeader + kDatagramMax + kDigest> datagram;
  for (int i = 0; i < kDatagramsPerTurn; ++i) {
    // MSG_TRUNC: the true size of one that does not fit, which is none of ours.
    const auto got = ::recv(fd_.get(), datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_TRUNC);
    if (got < 0 && errno == EAGAIN) return;
    if (got < 0) continue;  // A peer's port is closed; it says nothing about the next datagram.
    const auto size = static_cast<std::size_t>(got);
    if (size < kHeader + kDigest || size > datagram.size()) {
      ++counts_.refused;
    } else {
      take(Bytes(datagram).first(size));
    }
  }
}

void UdpPort::take(Bytes datagram) noexcept {
  const Bytes proven = datagram.first(datagram.size() - kDigest);
  wire::Decoder in{proven};
  Header header;
  wire::get(in, header);
  const auto found = peers_.find(header.from);
  const bool ours = header.magic == kMagic && header.to == self_ &&
                    header.to_life == incarnation_ && found != peers_.end() &&
                    header.from_life == found->second.incarnation;
  const Digest digest = hash(proven);
  if (!ours || sodium_memcmp(digest.data(), datagram.data() + proven.size(), digest.size()) != 0) {
    ++counts_.refused;
    return;
  }
  if (!fresh(found->second, header.number)) {
    ++counts_.repeated;
    return;
  }
  ++counts_.received;
  if (sink_ != nullptr) sink_->on_datagram(header.from, proven.subspan(kHeader));
}

bool UdpPort::fresh(Peer& peer, std::uint64_t number) noexcept {
  if (number > peer.newest) {
    const std::uint64_t step = number - peer.newest;
    peer.seen = step < kWindow ? peer.seen << step | 1 : 1;
    peer.newest = number;
    return true;
  }
  const std::uint64_t age = peer.newest - number;
  if (number == 0 || age >= kWindow || (peer.seen >> age & 1) != 0) return false;
  peer.seen |= std::uint64_t{1} << age;
  return true;
}

}  // namespace krg::detector

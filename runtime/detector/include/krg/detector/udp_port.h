// detector/udp_port.h: datagrams by UDP.
//
// Model    one socket. Each datagram carries a keyed hash; those without a right one are dropped
//          unread. A peer may have several addresses: until one of them has been heard from, all
//          are sent to; from then on that one is its present address. The kernel's error queue
//          tells when the port at a present address is closed (IP_RECVERR): the machine lives and
//          the process does not. What a closed port at another address means nobody knows, for it
//          may be another machine. A port chosen by the kernel is not used again soon, so a late
//          answer about an earlier life finds no peer and is dropped.
// Threads  the reactor's thread.
// Blocks   never: what the socket does not take at once is dropped.
// Source   ip(7), IP_RECVERR; ipv6(7), IPV6_V6ONLY; RFC 792; BLAKE2b (RFC 7693) by libsodium
#pragma once

#include <netinet/in.h>

#include <array>
#include <memory>
#include <span>
#include <string>
#include <unordered_map>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/detector/datagram_port.h"
#include "krg/error/result.h"
#include "krg/reactor/reactor.h"

namespace krg::detector {

using DatagramKey = std::array<std::byte, 32>;

// The key of a cluster's datagrams, made from the cluster's: nothing that is signed with the one
// passes for signed with the other. Errors  system_error  no libsodium.
Result<DatagramKey> datagram_key(std::span<const std::byte, 32> cluster_key);

class UdpPort final : public DatagramPort, private reactor::FdHandler {
 public:
  // `address` is "1.2.3.4:port" or "[v6]:port"; port 0 lets the kernel choose.
  // Errors  invalid_argument  no such address; system_error  it can not be bound.
  static Result<std::unique_ptr<UdpPort>> open(reactor::Reactor& reactor,
                                               const std::string& address, const DatagramKey& key);
  // At every interface, by IPv4 and, where the kernel has it, IPv6; the kernel chooses the port.
  // Errors  system_error
  static Result<std::unique_ptr<UdpPort>> open(reactor::Reactor& reactor, const DatagramKey& key);
  ~UdpPort() override;

  // What it is bound to.
  std::string address() const;
  // For the Member that others get: this port at each of the hosts, "1.2.3.4:port,[v6]:port".
  std::string at(const std::vector<std::string>& hosts) const;
  // What comes before this is dropped. Requires  once.
  void set_sink(DatagramSink& sink) noexcept { sink_ = &sink; }
  // Where `node` may be: up to eight addresses, with commas between; "" forgets it.
  // Errors  invalid_argument  then it is forgotten.
  Status set_peer(NodeId node, const std::string& addresses);

  void send(NodeId to, wire::Bytes datagram) noexcept override;

 private:
  struct Peer {
    std::string text;                          // As it was given.
    std::vector<sockaddr_storage> candidates;  // One: its present address.
  };

  UdpPort(reactor::Reactor& reactor, UniqueFd fd, bool six, const DatagramKey& key) noexcept;
  static Result<std::unique_ptr<UdpPort>> of(reactor::Reactor& reactor, UniqueFd fd, bool six,
                                             const DatagramKey& key);
  void on_fd(std::uint32_t events) noexcept override;
  void receive() noexcept;
  void read_errors() noexcept;
  void heard_from(const sockaddr_storage& address);
  void forget(NodeId node);

  reactor::Reactor& reactor_;
  const UniqueFd fd_;
  const bool six_;  // The socket is one of IPv6, for which an IPv4 address is a mapped one.
  const DatagramKey key_;
  DatagramSink* sink_ = nullptr;
  std::unordered_map<NodeId, Peer> peers_;
  std::unordered_map<std::string, NodeId> nodes_;  // By address as text; kNoNode: of several.
  std::size_t unsettled_ = 0;                      // Peers with several candidates.
};

}  // namespace krg::detector

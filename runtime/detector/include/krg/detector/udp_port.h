// detector/udp_port.h: datagrams by UDP.
//
// Model    one socket. Each datagram carries a keyed hash; those without a right one are dropped
//          unread. The kernel's error queue tells which peer's port is closed (IP_RECVERR): the
//          machine lives and the process does not. A port chosen by the kernel is not used again
//          soon, so a late answer about an earlier life finds no peer and is dropped.
// Threads  the reactor's thread.
// Blocks   never: what the socket does not take at once is dropped.
// Source   ip(7), IP_RECVERR; RFC 792; BLAKE2b (RFC 7693) by libsodium
#pragma once

#include <netinet/in.h>

#include <array>
#include <memory>
#include <string>
#include <unordered_map>

#include "krg/base/unique_fd.h"
#include "krg/detector/datagram_port.h"
#include "krg/error/result.h"
#include "krg/reactor/reactor.h"

namespace krg::detector {

using DatagramKey = std::array<std::byte, 32>;

class UdpPort final : public DatagramPort, private reactor::FdHandler {
 public:
  // `address` is "1.2.3.4:port" or "[v6]:port"; port 0 lets the kernel choose.
  // Errors  invalid_argument  no such address; system_error  it can not be bound.
  static Result<std::unique_ptr<UdpPort>> open(reactor::Reactor& reactor,
                                               const std::string& address, const DatagramKey& key);
  ~UdpPort() override;

  // What it is bound to, for the Member that others get.
  std::string address() const;
  // Requires  once, before the first turn.
  void set_sink(DatagramSink& sink) noexcept { sink_ = &sink; }
  // Where `node` is; "" forgets it. Errors  invalid_argument
  Status set_peer(NodeId node, const std::string& address);

  void send(NodeId to, wire::Bytes datagram) noexcept override;

 private:
  UdpPort(reactor::Reactor& reactor, UniqueFd fd, const DatagramKey& key) noexcept;
  void on_fd(std::uint32_t events) noexcept override;
  void receive() noexcept;
  void read_errors() noexcept;

  reactor::Reactor& reactor_;
  const UniqueFd fd_;
  const DatagramKey key_;
  DatagramSink* sink_ = nullptr;
  std::unordered_map<NodeId, sockaddr_storage> peers_;
  std::unordered_map<std::string, NodeId> nodes_;  // By address as text.
};

}  // namespace krg::detector

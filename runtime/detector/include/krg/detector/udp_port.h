// detector/udp_port.h: the detector's datagrams over UDP, proven by the cluster's key.
//
// Model    a datagram carries sender and receiver with their lives, a number and a keyed hash over
//          all of it. One that is too short, too long, not for this life of this node, of an
//          unknown peer or life, wrongly hashed, or whose number was seen before or is 64 behind
//          the newest, is dropped and counted; nothing is answered. Sends never wait: a full socket
//          drops.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/hotplug.md, "Datagrams"; RFC 4303, 3.4.3 (the window of numbers)
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>

#include "krg/base/unique_fd.h"
#include "krg/detector/messages.h"
#include "krg/detector/port.h"
#include "krg/error/result.h"
#include "krg/fabric/fabric.h"
#include "krg/link/address.h"
#include "krg/reactor/reactor.h"

namespace krg::detector {

class UdpPort final : public DatagramPort, private reactor::FdHandler {
 public:
  struct Counts {
    std::uint64_t sent = 0;
    std::uint64_t received = 0;  // And delivered.
    std::uint64_t unsent = 0;    // The kernel would not take it, or no such peer.
    std::uint64_t refused = 0;   // Malformed, for somebody else, from a stranger, wrongly hashed.
    std::uint64_t repeated = 0;  // Proven, but seen before or too old.
  };

  // Binds to `listen`, port 0 for any.
  // Errors  system_error  no socket, or the address is in use.
  static Result<std::unique_ptr<UdpPort>> open(reactor::Reactor& reactor,
                                               const link::Address& listen, const fabric::Key& key,
                                               NodeId self, Incarnation incarnation);
  ~UdpPort() override;

  // Where this life of a node is reached. A higher incarnation replaces the one before; the same
  // one only moves; a lower one is ignored.
  void set_peer(NodeId node, Incarnation incarnation, const link::Address& address);
  void remove_peer(NodeId node);

  link::Address address() const;
  const Counts& counts() const noexcept { return counts_; }

  void send(NodeId to, Bytes bytes) noexcept override;
  void deliver_to(DatagramSink* sink) noexcept override { sink_ = sink; }

 private:
  using Digest = std::array<std::byte, 16>;

  struct Peer {
    Incarnation incarnation;
    link::Address address;
    std::uint64_t sent = 0;    // Number of the last datagram sent.
    std::uint64_t newest = 0;  // Highest number received.
    std::uint64_t seen = 0;    // Bit i: newest - i was received.
  };

  UdpPort(reactor::Reactor& reactor, UniqueFd fd, const fabric::Key& key, NodeId self,
          Incarnation incarnation);
  Digest hash(Bytes bytes) const noexcept;
  void on_fd(std::uint32_t events) noexcept override;
  void take(Bytes datagram) noexcept;
  static bool fresh(Peer& peer, std::uint64_t number) noexcept;

  reactor::Reactor& reactor_;
  const UniqueFd fd_;
  fabric::Key key_;
  const NodeId self_;
  const Incarnation incarnation_;
  DatagramSink* sink_ = nullptr;
  std::unordered_map<NodeId, Peer> peers_;
  Counts counts_;
};

}  // namespace krg::detector

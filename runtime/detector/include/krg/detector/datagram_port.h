// detector/datagram_port.h: small messages that may be lost, apart from the data path.
//
// Model    best effort: a datagram arrives once, late, or never. A port may also learn that nobody
//          listens where a datagram went (ICMP port unreachable): that is how a dead process is
//          told from a silent one.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/hotplug.md, "Messages"
#pragma once

#include <cstddef>

#include "krg/base/ids.h"
#include "krg/wire/codec.h"

namespace krg::detector {

// No datagram is longer.
inline constexpr std::size_t kDatagramMax = 64;

class DatagramPort {
 public:
  virtual ~DatagramPort() = default;
  virtual void send(NodeId to, wire::Bytes datagram) noexcept = 0;
};

// Who gets what a port receives.
class DatagramSink {
 public:
  virtual ~DatagramSink() = default;
  virtual void on_datagram(wire::Bytes datagram) noexcept = 0;
  // No socket is bound at the present address of `node`.
  virtual void on_refused(NodeId node) noexcept = 0;
};

}  // namespace krg::detector

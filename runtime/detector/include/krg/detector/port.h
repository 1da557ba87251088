// detector/port.h: where the detector's datagrams go and come from.
//
// Model    unreliable: a datagram arrives once, late, or never. The port knows who sent what it
//          delivers; a real one proves it by the cluster's key.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/hotplug.md, "Datagrams"
#pragma once

#include <cstddef>
#include <span>

#include "krg/base/ids.h"

namespace krg::detector {

using Bytes = std::span<const std::byte>;

class DatagramSink {
 public:
  virtual void on_datagram(NodeId from, Bytes bytes) noexcept = 0;

 protected:
  ~DatagramSink() = default;
};

class DatagramPort {
 public:
  virtual ~DatagramPort() = default;
  // Sends, or drops: there is nothing to wait for and nobody to tell.
  // Requires  bytes.size() <= kDatagramMax of messages.h.
  virtual void send(NodeId to, Bytes bytes) noexcept = 0;
  // `sink` gets what arrives from now on; nullptr: nobody does.
  virtual void deliver_to(DatagramSink* sink) noexcept = 0;
};

}  // namespace krg::detector

// fabric/event_sink.h: what a fabric tells the layer above. One of the five interfaces that point
// upwards.
//
// Model    called from Fabric::poll(), in order per endpoint: on_up, then messages, then on_down
//          once.
// Threads  the fabric's thread.
// Blocks   never. May call back into the fabric, but must not destroy it.
// Source   docs/design/wire.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "krg/fabric/endpoint.h"

namespace krg::fabric {

// A large message whose header has arrived and whose data waits for a place.
class LargeMessage {
 public:
  virtual ~LargeMessage();
  virtual std::size_t size() const noexcept = 0;
  // Moves the data into `into`; `done` is told, perhaps before this returns. Afterwards this object
  // is gone.
  // Requires  into.size() == size().
  virtual void receive(std::span<std::byte> into, Completion& done) = 0;
  // Drops the data. Afterwards this object is gone.
  virtual void discard() = 0;
};

class EventSink {
 public:
  virtual ~EventSink();
  // A peer is connected and authenticated, whoever began.
  virtual void on_up(Endpoint& endpoint) = 0;
  // `content` is valid until this returns.
  virtual void on_message(Endpoint& from, std::span<const std::byte> content) = 0;
  // `header` is valid until this returns; `message` until receive() or discard(), one of which must
  // be called, now or later, unless the endpoint goes down first: then `message` is gone with
  // on_down.
  virtual void on_large(Endpoint& from, std::span<const std::byte> header,
                        LargeMessage& message) = 0;
  // After a would_block: sending may go on.
  virtual void on_writable(Endpoint& endpoint) = 0;
  // The peer is gone: closed, dead or unreachable. Every pending completion has been told.
  // `graceful`: it closed, after delivering everything.
  virtual void on_down(Endpoint& endpoint, Error why, bool graceful) = 0;
  // connect() to `address` failed for good.
  virtual void on_connect_failed(NodeId node, Error why) = 0;
};

}  // namespace krg::fabric

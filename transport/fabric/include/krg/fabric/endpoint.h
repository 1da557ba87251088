// fabric/endpoint.h: the way to one life of one peer.
//
// Model    reliable and ordered: what send() and send_large() accept arrives at the peer's
//          EventSink in that order (a large message takes its place by its header), or the endpoint
//          goes down. An endpoint is to one incarnation; when it is down it stays down.
// Threads  owned by the fabric's thread.
// Blocks   never.
// Source   docs/design/wire.md; docs/decisions/0003-link-beside-fabric.md
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "krg/base/ids.h"
#include "krg/error/result.h"
#include "krg/fabric/memory.h"

namespace krg::fabric {

// Who a peer has proven to be: its node, and which life of it.
struct Identity {
  NodeId node = kNoNode;
  Incarnation incarnation{0};

  bool operator==(const Identity&) const = default;
};

// The bytes at the front of every message given to send() that belong to the fabric. The caller
// leaves them free; the receiver does not see them.
inline constexpr std::size_t kHeadroom = 16;
// The most that send() takes, headroom included: what every provider moves eagerly.
inline constexpr std::size_t kMessageMax = 8192;
// The most header bytes of a large message, headroom included.
inline constexpr std::size_t kLargeHeaderMax = 4096;

enum class Sent {
  done,     // The buffer is the caller's again; the completion will not be told.
  pending,  // The buffer is the fabric's until the completion is told.
};

class Endpoint {
 public:
  virtual ~Endpoint();

  virtual const Identity& peer() const noexcept = 0;

  // Sends one small message: kHeadroom free bytes, then the content.
  //
  // Requires  kHeadroom <= message.size() <= kMessageMax.
  // Cost      no allocation; one copy at most.
  // Errors    would_block  too much is under way; EventSink::on_writable follows. Nothing was sent.
  //           peer_down    the endpoint is down.
  virtual Result<Sent> send(std::span<std::byte> message, Completion& done) = 0;

  // Sends a header (kHeadroom free bytes first) and data gathered from `parts`, of any length; the
  // peer chooses where the data goes when it sees the header and the length. `header` is copied;
  // the data belongs to the fabric until `done` is told, always later than this call returns.
  //
  // Requires  kHeadroom <= header.size() <= kLargeHeaderMax; parts.size() <= 16.
  // Errors    as send().
  virtual Status send_large(std::span<std::byte> header,
                            std::span<const std::span<const std::byte>> parts,
                            Completion& done) = 0;

  // Asks that a pending operation end early. Its completion is still told exactly once, perhaps
  // with success; until then the buffer is the fabric's.
  virtual void cancel(Completion& operation) noexcept = 0;

  // Attaches a region of this peer by the key that it sent.
  // Errors  invalid_argument  not a key.
  virtual Result<std::unique_ptr<RemoteRegion>> attach(std::span<const std::byte> key) = 0;

  // Ends the connection: what was accepted before is delivered if the peer lives; every pending
  // completion is told, then EventSink::on_down at both sides. The Endpoint object is valid until
  // on_down returns.
  virtual void close() noexcept = 0;

  // A word for the layer above: which of its peers this is.
  void* user = nullptr;
};

}  // namespace krg::fabric

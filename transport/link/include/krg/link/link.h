// link/link.h: the authenticated control connection between two nodes, beside the fabric's data
// path.
//
// Model    one TCP connection per pair of nodes. Both sides prove the cluster key before anything
//          else is parsed; then each sends a greeting (the provider's addresses), and small control
//          messages may follow. Its end is the first news of a peer's death: the kernel closes it,
//          whatever moves the data. Of two connections made at once, the one of the lower node
//          survives on both sides; a new incarnation replaces the old one; an older one is refused.
// Threads  owned by the reactor's thread.
// Blocks   open() may wait up to Options::interface_wait for a network interface; nothing else
//          blocks.
// Source   docs/design/wire.md, "The link"; docs/decisions/0003-link-beside-fabric.md
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/error/result.h"
#include "krg/fabric/fabric.h"
#include "krg/link/address.h"
#include "krg/reactor/reactor.h"

namespace krg::link {

// The most bytes of a greeting or of a message.
inline constexpr std::size_t kMessageMax = 32 * 1024;

// A proven session with one life of one peer.
class Link {
 public:
  virtual ~Link();

  virtual const fabric::Identity& peer() const noexcept = 0;
  // Secrets of this session that the data path puts into each message, so that a message from
  // anywhere else, or of an earlier session, is known as such.
  virtual std::uint64_t send_token() const noexcept = 0;
  virtual std::uint64_t receive_token() const noexcept = 0;
  // Where the peer's end of the connection is: its host, as this side reaches it.
  virtual const Address& remote() const noexcept = 0;
  // Whether the peer can share memory with this process: same boot, same IPC, PID and host-name
  // space, same /dev/shm. Known once the link is up.
  virtual bool shares_memory() const noexcept = 0;

  // Sends a control message.
  //
  // Requires  message.size() <= kMessageMax.
  // Errors    would_block  256 KiB wait to be sent already.
  //           peer_down    the link is closed or dead.
  virtual Status send(std::span<const std::byte> message) = 0;

  // Says goodbye; LinkSink::on_link_down follows on both sides, later.
  virtual void close() noexcept = 0;
  // Drops the connection at once: LinkSink::on_link_down(link, why, false) is called later, from
  // the reactor, here and at the peer.
  virtual void abort(Error why) noexcept = 0;

  // A word for the provider.
  void* user = nullptr;
};

// What the links tell the provider. Never called from within a call of the provider.
class LinkSink {
 public:
  virtual ~LinkSink();
  // Both sides have proven the key and agreed on this connection; returns what the peer is to be
  // told, at most kMessageMax bytes. on_link_up may follow; on_link_down follows surely.
  virtual std::vector<std::byte> on_link_proven(Link& link) = 0;
  // The peer's greeting is here (valid until this returns): the link is in use.
  virtual void on_link_up(Link& link, std::span<const std::byte> greeting) = 0;
  virtual void on_link_message(Link& link, std::span<const std::byte> message) = 0;
  // `graceful`: the peer said goodbye. The Link is gone when this returns.
  virtual void on_link_down(Link& link, Error why, bool graceful) = 0;
  // connect() gave up.
  virtual void on_connect_failed(NodeId node, Error why) = 0;
};

struct Options {
  fabric::Identity self;
  fabric::Key key{};
  // As fabric::Options::listen.
  std::string listen;
  // "ucx", "ofi": a peer with another one is refused.
  std::string provider;
  // From TCP connection to greeting.
  Duration handshake_limit = std::chrono::seconds(3);
  // Connections that may be unproven at one time; further ones wait in the kernel's queue.
  unsigned pending_max = 64;
  // How long open() waits for an interface that is configured but not yet running, if there is no
  // other.
  Duration interface_wait = std::chrono::milliseconds(500);
};

class LinkSet {
 public:
  virtual ~LinkSet();

  // Listens.
  //
  // Requires  options.self.node is valid; `reactor` and `sink` outlive the LinkSet.
  // Errors    invalid_argument  options.listen does not parse or names no address of this host.
  //           system_error      the port is taken, or no socket can be had.
  static Result<std::unique_ptr<LinkSet>> open(reactor::Reactor& reactor, LinkSink& sink,
                                               const Options& options);

  // Where peers connect to: "10.0.0.1:4711,[fd00::1]:4711,127.0.0.1:4711", best first, loopback
  // last.
  virtual const std::string& address() const noexcept = 0;

  // Connects to `node` at the first of the addresses that answers as that node, and tries again
  // until the deadline; on_link_up or on_connect_failed follows. Does nothing if a link is up or
  // being made. Errors (by on_connect_failed)
  //   invalid_argument  `address` does not parse, or `node` is this node.
  //   auth_failed, version_mismatch, stale, protocol_error   a peer answered, and was refused.
  //   limit_reached     no file descriptor is left.
  //   unreachable       nobody answered by the deadline.
  virtual void connect(NodeId node, const std::string& address, Deadline deadline) = 0;

  // Connections whose peer is not proven; for tests.
  virtual unsigned pending() const noexcept = 0;
};

}  // namespace krg::link

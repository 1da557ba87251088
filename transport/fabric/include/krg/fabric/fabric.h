// fabric/fabric.h: bytes between nodes: the smallest interface that UCX, libfabric and a simulation
// serve.
//
// Model    one Fabric per reactor. Connections are made on demand and mutually authenticated by the
//          cluster key before any byte of a peer is parsed. Two nodes that connect to each other at
//          once end up with one endpoint on each side.
// Threads  owned by one thread: the reactor's.
// Blocks   opening may take tens of milliseconds; nothing else blocks.
// Source   docs/design/wire.md; docs/decisions/0003-link-beside-fabric.md
#pragma once

#include <array>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/error/result.h"
#include "krg/fabric/endpoint.h"
#include "krg/fabric/event_sink.h"
#include "krg/reactor/poller.h"

namespace krg::fabric {

// The secret that all nodes of a cluster share. Never logged, never in an environment.
using Key = std::array<std::byte, 32>;

// Which ways to peers a provider may use. `any` is always right; `network` is everything but shared
// memory, for a node whose peers are all on other machines: it opens in two thirds of the time. The
// other two are for benchmarks and tests.
enum class Reach { any, shm, tcp, network };

struct Options {
  Identity self;
  Key key{};
  // "host" or "host:port" to listen on; "" = every interface, any port.
  std::string listen;
  Reach reach = Reach::any;
};

class Fabric : public reactor::Poller {
 public:
  ~Fabric() override;

  // Where peers reach this fabric; they give it to connect(). Printable, without spaces.
  virtual std::string address() const = 0;
  // The addresses of this machine that are in address(), best first, numeric, IPv6 in brackets: for
  // what else of this process peers are to reach. Empty if peers are not reached by IP.
  virtual std::vector<std::string> hosts() const { return {}; }
  // "ucx", "ofi", "sim".
  virtual const char* provider() const noexcept = 0;

  // Starts to connect; EventSink::on_up or on_connect_failed follows by `deadline`. With a
  // connection to `node` already up or being made, the call does nothing.
  virtual void connect(NodeId node, const std::string& address, Deadline deadline) = 0;

  // Requires  the memory stays valid for the Region's life.
  // Errors    system_error  the memory can not be registered.
  virtual Result<std::unique_ptr<Region>> register_memory(std::span<std::byte> memory) = 0;
};

}  // namespace krg::fabric

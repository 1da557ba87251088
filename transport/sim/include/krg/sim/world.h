// sim/world.h: a whole cluster in one thread: nodes, the network between them, time, and
// misfortune.
//
// Model    nodes 0..n-1, each with a reactor and, once opened, a fabric. step() turns one node that
//          has work, chosen by chance, or else moves the clock to the next arrival or timer.
//          Nothing but the seed and the calls made decides what happens: the same seed gives the
//          same trace(). Packets of one connection keep their order; all else may overtake.
// Threads  owned by one thread, with everything that runs on it.
// Blocks   never; virtual time passes.
// Source   transport/sim/README.md; FoundationDB's and TigerBeetle's deterministic simulations
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "krg/base/deadline.h"
#include "krg/fabric/fabric.h"
#include "krg/reactor/reactor.h"
#include "krg/sim/random.h"

namespace krg::sim {

// How long a packet travels: evenly between min and max, and now and then much longer.
struct Latency {
  Duration min = std::chrono::microseconds(1);
  Duration max = std::chrono::microseconds(20);
  unsigned tail_per_mille = 5;  // Of packets that take up to 100 times as long.
  Duration per_kib = Duration(100);
};

struct WorldOptions {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 2;
  Latency latency{};
  // Of small sends that keep the caller's buffer until the message arrives.
  unsigned pending_per_mille = 200;
  // When peers learn of a death, and when a cut link ends its connections.
  Duration detect_min = std::chrono::milliseconds(2);
  Duration detect_max = std::chrono::milliseconds(200);
  Duration link_timeout = std::chrono::seconds(15);
  unsigned datagram_loss_per_mille = 0;
};

// Who gets a node's datagrams, in its turns.
class Datagrams {
 public:
  virtual ~Datagrams() = default;
  virtual void on_datagram(std::span<const std::byte> content) noexcept = 0;
  // Nobody listened at `node` when a datagram came there: its life has ended.
  virtual void on_refused(NodeId node) noexcept = 0;
};

class World {
 public:
  explicit World(const WorldOptions& options);
  World(const World&) = delete;
  World& operator=(const World&) = delete;
  // Requires  every fabric of this world is gone.
  ~World();

  std::uint32_t size() const noexcept;
  // For whoever makes decisions by chance in this world, so that they too follow the seed.
  Random& random() noexcept;
  const reactor::Clock& clock() const noexcept;
  TimePoint now() const noexcept { return clock().now(); }

  // The reactor of the present life of `node`. Asking for it makes the node run in the next step;
  // whoever keeps the reference and acts on the node between two steps calls wake().
  reactor::Reactor& reactor(NodeId node);
  void wake(NodeId node);

  // Opens the fabric of node `options.self.node` on its reactor. Its address is "sim:<node>".
  // Errors  invalid_argument  no such node, or a reactor that is not its own.
  //         already_exists    the node has an open fabric.
  Result<std::unique_ptr<fabric::Fabric>> open(reactor::Reactor& reactor, fabric::EventSink& sink,
                                               const fabric::Options& options);

  // Datagrams, as UDP beside the fabric: lost on a cut link, refused where no fabric is open.
  // Requires  the node's fabric is open; `sink`, or nullptr, is there as long as it.
  void set_datagrams(NodeId node, Datagrams* sink);
  void send_datagram(NodeId from, NodeId to, std::span<const std::byte> content);

  // One thing that happens next, no later than `limit`: then, or if nothing is left, false, and the
  // clock stands at `limit` if it is not never.
  bool step(Deadline limit = Deadline::never());
  // Steps until `condition`, which is asked after each; false if it does not hold within `limit`.
  bool run_until(const std::function<bool()>& condition, Duration limit);
  void run_for(Duration time);

  // The node's life ends as by SIGKILL: nothing of it runs again, its coroutines are destroyed, of
  // what it had sent a part still arrives, and its peers learn of it some time later. Its services
  // and its fabric are then destroyed by their owner, without effect on others.
  // Requires  not called from a turn of that node.
  void kill(NodeId node);
  bool alive(NodeId node) const noexcept;
  // A new life with a new reactor.
  // Requires  killed, and the old life's fabric destroyed.
  void restart(NodeId node);
  // As SIGSTOP and SIGCONT: the node does not run, and what arrives waits. Its memory can be
  // reached.
  void stop(NodeId node);
  void resume(NodeId node);

  // Nothing passes between `a` and `b`; packets wait. After link_timeout the connections between
  // them end.
  void cut(NodeId a, NodeId b);
  void mend(NodeId a, NodeId b);
  // The link from `a` to `b` (one direction) gets its own latency.
  void set_latency(NodeId from, NodeId to, const Latency& latency);

  // A hash of everything that has happened.
  std::uint64_t trace() const noexcept;
  std::uint64_t packets() const noexcept;

  class Impl;

 private:
  std::unique_ptr<Impl> impl_;
};

}  // namespace krg::sim

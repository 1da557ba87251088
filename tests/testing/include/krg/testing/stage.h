// testing/stage.h: the world in which the conformance suite sees a provider.
//
// Model    nodes of this program, each with a reactor that the suite drives turn by turn, and
// remote nodes,
//          which live by themselves, play a PeerRole and can be killed and stopped: processes for a
//          real provider, nodes of the World for the simulated one.
// Threads  owned by the test's thread.
// Blocks   start() until the remote node can be connected to.
// Source   krg/fabric/fabric.h
#pragma once

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "krg/fabric/fabric.h"
#include "krg/reactor/reactor.h"

namespace krg::testing {

// What a remote node does with those that connect to it. Replies begin with its incarnation (4
// bytes) and the number of the reply on this connection (4 bytes).
enum class PeerRole {
  echo,    // Sends every message back: small ones behind the 8 bytes, large ones with their header
           // behind them.
  hang,    // Takes small messages, never receives large ones.
  memory,  // Sends the key of 1 MiB of registered, zeroed memory, without the 8 bytes.
};
inline constexpr std::size_t kPeerMemory = 1 << 20;

class RemoteNode {
 public:
  virtual ~RemoteNode() = default;  // Kills it, if it lives.
  virtual const std::string& address() const = 0;
  virtual void kill() = 0;    // Like SIGKILL.
  virtual void stop() = 0;    // Like SIGSTOP.
  virtual void resume() = 0;  // Like SIGCONT.
};

class Stage {
 public:
  virtual ~Stage() = default;
  // The reactor of a node of this program, made when first asked for.
  virtual reactor::Reactor& reactor(NodeId node) = 0;
  virtual Result<std::unique_ptr<fabric::Fabric>> open(reactor::Reactor& reactor,
                                                       fabric::EventSink& sink,
                                                       const fabric::Options& options) = 0;
  virtual std::unique_ptr<RemoteNode> start(PeerRole role, const fabric::Options& options) = 0;
  // One turn of every node of this program that is not paused; time goes on.
  virtual void turn() = 0;
  virtual void pause(NodeId node, bool paused) = 0;
  virtual TimePoint now() const = 0;
};

// How a provider is opened; `sink` and `reactor` outlive the fabric, which polls by that reactor
// from then on.
using OpenFabric = std::function<Result<std::unique_ptr<fabric::Fabric>>(
    reactor::Reactor& reactor, fabric::EventSink& sink, const fabric::Options& options)>;

struct ProviderUnderTest {
  std::string name;  // Of a test's parameter: letters, digits, '_'.
  std::function<std::unique_ptr<Stage>()> make_stage;
};

inline void PrintTo(const ProviderUnderTest& provider, std::ostream* out) { *out << provider.name; }

// A provider whose remote nodes are processes: this program again, with --child.
ProviderUnderTest real_provider(std::string name, OpenFabric open);

// Every program with the conformance suite defines this.
std::vector<ProviderUnderTest> providers_under_test();

}  // namespace krg::testing

// One life of a node of the simulated fabric: an Rpc, the fabric under it, and the order in which
// they come and go.
#pragma once

#include <memory>
#include <string>

#include "krg/rpc/rpc.h"
#include "krg/sim/world.h"

namespace krg::cluster_test {

class RpcEnd {
 public:
  // It knows the addresses of all other nodes of the world.
  RpcEnd(sim::World& world, rpc::RpcOptions options)
      : reactor_(world.reactor(options.self.node)), rpc_(reactor_, options) {
    fabric::Options fabric_options;
    fabric_options.self = options.self;
    fabric_ = std::move(*world.open(reactor_, rpc_, fabric_options));
    rpc_.attach(*fabric_);
    reactor_.add_poller(rpc_);
    for (std::uint32_t i = 0; i < world.size(); ++i) {
      if (i != options.self.node.value) rpc_.set_address(NodeId{i}, "sim:" + std::to_string(i));
    }
  }
  // Requires  killed, or the world runs no more.
  ~RpcEnd() {
    reactor_.cancel_all();
    reactor_.remove_poller(rpc_);
    fabric_.reset();
  }
  RpcEnd(const RpcEnd&) = delete;
  RpcEnd& operator=(const RpcEnd&) = delete;

  reactor::Reactor& reactor() noexcept { return reactor_; }
  rpc::Rpc& rpc() noexcept { return rpc_; }
  const rpc::Rpc& rpc() const noexcept { return rpc_; }

 private:
  reactor::Reactor& reactor_;
  rpc::Rpc rpc_;
  std::unique_ptr<fabric::Fabric> fabric_;
};

}  // namespace krg::cluster_test

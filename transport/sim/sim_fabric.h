// A node's way into the simulated network.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "krg/fabric/fabric.h"
#include "krg/reactor/reactor.h"
#include "krg/sim/world.h"
#include "packet.h"
#include "side.h"

namespace krg::sim {

class Network;

class SimFabric final : public fabric::Fabric {
 public:
  SimFabric(Network& network, reactor::Reactor& reactor, fabric::EventSink& sink,
            const fabric::Options& options);
  ~SimFabric() override;

  std::string address() const override;
  const char* provider() const noexcept override { return "sim"; }
  void connect(NodeId node, const std::string& address, Deadline deadline) override;
  Result<std::unique_ptr<fabric::Region>> register_memory(std::span<std::byte> memory) override;
  bool poll() noexcept override;
  bool arm() noexcept override { return inbox_.empty(); }

  void arrive(Packet& packet) { inbox_.push_back(packet); }
  // The node was killed: nothing passes any more; pending operations are told at destruction.
  void cut_off();
  bool alive() const noexcept { return alive_; }

  const fabric::Options& options() const noexcept { return options_; }
  std::uint32_t node() const noexcept { return options_.self.node.value; }
  Network& network() noexcept { return network_; }
  fabric::EventSink& sink() noexcept { return sink_; }
  void set_datagrams(Datagrams* sink) noexcept { datagrams_ = sink; }
  Side* side_with(std::uint32_t node) noexcept;
  // A side may have finished.
  void touch() noexcept { touched_ = true; }

 private:
  void handle(Packet& packet);
  // Whether a request to connect has been answered; if not, an older connection has to end first.
  bool answer(const Packet& syn);
  void take_datagram(const Packet& packet);
  void accept(const Packet& syn, const fabric::Identity& peer);
  void refuse(const Packet& syn, Error why);
  void drop_arrived();
  void connect_failed(Side& side, Error why);
  Side& add_side(fabric::Identity peer);
  void take_down(Side& side, Error why, bool graceful);
  bool settle();

  Network& network_;
  reactor::Reactor& reactor_;
  fabric::EventSink& sink_;
  const fabric::Options options_;
  Datagrams* datagrams_ = nullptr;
  bool alive_ = true;
  PacketList inbox_,
      waiting_;  // `waiting_`: connection requests that an older connection holds up.
  bool touched_ = false;
  std::map<std::uint32_t, std::unique_ptr<Side>> sides_;  // By peer: there is one at most.
};

}  // namespace krg::sim

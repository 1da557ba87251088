#include "krg/sim/world.h"
#include "krg/testing/fabric_conformance.h"
#include "krg/testing/peer_player.h"
#include "krg/testing/seed.h"

// The simulated fabric in the suite of all fabrics: remote nodes are nodes of the world.
namespace krg::testing {
namespace {

constexpr std::uint32_t kNodes = 32;

class SimNode final : public RemoteNode {
 public:
  SimNode(sim::World& world, PeerRole role, const fabric::Options& options)
      : world_(world), node_(options.self.node), player_(role, options.self.incarnation) {
    if (!world_.alive(node_)) world_.restart(node_);
    auto fabric = world_.open(world_.reactor(node_), player_, options);
    EXPECT_OK(fabric);
    fabric_ = std::move(*fabric);
    EXPECT_OK(player_.begin(*fabric_));
    address_ = fabric_->address();
  }
  ~SimNode() override { kill(); }
  const std::string& address() const override { return address_; }
  void kill() override {
    if (fabric_ == nullptr) return;
    world_.kill(node_);
    player_.end();
    fabric_.reset();
  }
  void stop() override { world_.stop(node_); }
  void resume() override { world_.resume(node_); }

 private:
  sim::World& world_;
  const NodeId node_;
  PeerPlayer player_;
  std::unique_ptr<fabric::Fabric> fabric_;
  std::string address_;
};

class SimStage final : public Stage {
 public:
  explicit SimStage(std::uint64_t seed) : world_({.seed = seed, .nodes = kNodes}) {}
  reactor::Reactor& reactor(NodeId node) override { return world_.reactor(node); }
  Result<std::unique_ptr<fabric::Fabric>> open(reactor::Reactor& reactor, fabric::EventSink& sink,
                                               const fabric::Options& options) override {
    return world_.open(reactor, sink, options);
  }
  std::unique_ptr<RemoteNode> start(PeerRole role, const fabric::Options& options) override {
    return std::make_unique<SimNode>(world_, role, options);
  }
  void turn() override { world_.step(Deadline(now() + std::chrono::milliseconds(1))); }
  void pause(NodeId node, bool paused) override {
    paused ? world_.stop(node) : world_.resume(node);
  }
  TimePoint now() const override { return world_.now(); }

 private:
  sim::World world_;
};

}  // namespace

std::vector<ProviderUnderTest> providers_under_test() {
  std::vector<ProviderUnderTest> providers;
  for (std::uint64_t i = 0; i < 8; ++i) {
    providers.push_back(
        {"sim_" + std::to_string(i), [i] { return std::make_unique<SimStage>(seed() + i); }});
  }
  return providers;
}

}  // namespace krg::testing

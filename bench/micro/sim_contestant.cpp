#include <array>

#include "krg/harness/contestant.h"
#include "krg/sim/world.h"
#include "rpc_caller.h"
#include "rpc_contestant.h"

namespace krg::bench {
namespace {

using harness::Job;
using harness::Kind;
using harness::Sample;

sim::WorldOptions world_options() {
  sim::WorldOptions options;
  options.latency = {
      .min = Duration(1000), .max = Duration(1000), .tail_per_mille = 0, .per_kib = Duration(0)};
  options.pending_per_mille = 0;
  return options;
}

fabric::Options node_options(std::uint32_t node) {
  fabric::Options options;
  options.self = {NodeId{node}, Incarnation{1}};
  return options;
}

class SimRpc final : public harness::Contestant {
 public:
  ~SimRpc() override {
    for (std::uint32_t i = 0; i < 2; ++i) {
      if (rpcs_[i] != nullptr) world_.reactor(NodeId{i}).remove_poller(*rpcs_[i]);
    }
    for (auto& fabric : fabrics_) fabric.reset();
  }

  Result<Sample> measure(const Job& job) override {
    if (fabrics_[0] == nullptr) KRG_TRY(set_up());
    RpcCaller caller(*rpcs_[0], NodeId{1});
    caller.begin(job);
    world_.wake(NodeId{0});
    while (!caller.finished()) world_.step();
    return caller.result();
  }

 private:
  Status set_up() {
    for (std::uint32_t i = 0; i < 2; ++i) {
      reactor::Reactor& reactor = world_.reactor(NodeId{i});
      rpcs_[i] = std::make_unique<rpc::Rpc>(reactor,
                                            rpc::Rpc::Options{.self = {NodeId{i}, Incarnation{1}}});
      KRG_TRY_ASSIGN(fabrics_[i], world_.open(reactor, *rpcs_[i], node_options(i)));
      rpcs_[i]->attach(*fabrics_[i]);
      reactor.add_poller(*rpcs_[i]);
      serve_all(*rpcs_[i]);
    }
    for (std::uint32_t i = 0; i < 2; ++i) {
      rpcs_[i]->set_address(NodeId{1 - i}, fabrics_[1 - i]->address());
    }
    return {};
  }

  sim::World world_{world_options()};
  std::array<std::unique_ptr<rpc::Rpc>, 2> rpcs_;
  std::array<std::unique_ptr<fabric::Fabric>, 2> fabrics_;
};

// Echoes at node 1; counts at node 0.
class EchoSink final : public fabric::EventSink, public fabric::Completion {
 public:
  void on_up(fabric::Endpoint& endpoint) override { endpoint_ = &endpoint; }
  void on_message(fabric::Endpoint&, std::span<const std::byte> content) override {
    ++received;
    if (echoes) send(content.size());
  }
  void on_large(fabric::Endpoint&, std::span<const std::byte>,
                fabric::LargeMessage& message) override {
    // One fixed place, as the raw peers have it.
    into_.resize(message.size());
    message.receive(into_, received_);
  }
  void on_writable(fabric::Endpoint&) override {}
  void on_down(fabric::Endpoint&, Error, bool) override { endpoint_ = nullptr; }
  void on_connect_failed(NodeId, Error) override {}
  void on_complete(Status) noexcept override {}  // Of a send.

  bool up() const noexcept { return endpoint_ != nullptr; }
  // One buffer for all: the contents do not matter.
  void send(std::size_t size) {
    if (size + fabric::kHeadroom <= fabric::kMessageMax) {
      (void)endpoint_->send(std::span(buffer_).first(size + fabric::kHeadroom), *this);
    } else {
      bulk_.resize(size);
      const std::array<std::span<const std::byte>, 1> parts{bulk_};
      (void)endpoint_->send_large(std::span(buffer_).first(fabric::kHeadroom), parts, *this);
    }
  }

  bool echoes = false;
  std::uint64_t received = 0;

 private:
  struct Received final : fabric::Completion {
    explicit Received(EchoSink& s) : sink(s) {}
    void on_complete(Status) noexcept override {
      ++sink.received;
      if (sink.echoes) sink.send(8);
    }
    EchoSink& sink;
  };

  fabric::Endpoint* endpoint_ = nullptr;
  Received received_{*this};
  std::vector<std::byte> into_;
  std::array<std::byte, fabric::kMessageMax> buffer_{};
  std::vector<std::byte> bulk_;
};

class SimFabric final : public harness::Contestant {
 public:
  Result<Sample> measure(const Job& job) override {
    if (fabrics_[0] == nullptr) KRG_TRY(set_up());
    using Clock = std::chrono::steady_clock;
    harness::Latencies latencies;
    const unsigned window = job.kind == Kind::latency ? 1 : job.window;
    const std::uint64_t first = sinks_[0].received;
    std::uint64_t sent = first;
    const auto begin = Clock::now();
    auto from = begin;
    while (from < begin + job.length) {
      for (unsigned i = 0; i < window; ++i) sinks_[0].send(job.size);
      sent += window;
      world_.wake(NodeId{0});
      while (sinks_[0].received < sent) world_.step();
      const auto to = Clock::now();
      latencies.add(std::chrono::duration<double, std::micro>(to - from).count());
      from = to;
    }
    if (job.kind == Kind::latency) return latencies.summary();
    const std::chrono::duration<double> took = from - begin;
    const double rate = static_cast<double>(sent - first) / took.count();
    if (job.kind == Kind::rate) return Sample{rate, 0};
    return Sample{rate * static_cast<double>(job.size) * 1e-6, 0};
  }

 private:
  Status set_up() {
    sinks_[1].echoes = true;
    for (std::uint32_t i = 0; i < 2; ++i) {
      KRG_TRY_ASSIGN(fabrics_[i],
                     world_.open(world_.reactor(NodeId{i}), sinks_[i], node_options(i)));
    }
    fabrics_[0]->connect(NodeId{1}, fabrics_[1]->address(),
                         Deadline(world_.now() + std::chrono::seconds(10)));
    const bool both = world_.run_until([&] { return sinks_[0].up() && sinks_[1].up(); },
                                       std::chrono::seconds(10));
    if (!both) return Error(Errc::unreachable, "the simulation did not connect");
    return {};
  }

  sim::World world_{world_options()};
  std::array<EchoSink, 2> sinks_;
  std::array<std::unique_ptr<fabric::Fabric>, 2> fabrics_;  // Gone before the world.
};

}  // namespace

std::unique_ptr<harness::Contestant> sim_rpc_contestant() { return std::make_unique<SimRpc>(); }
std::unique_ptr<harness::Contestant> sim_fabric_contestant() {
  return std::make_unique<SimFabric>();
}

}  // namespace krg::bench

// The measuring loops over rpc: the same whichever fabric carries it.
#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "krg/harness/contestant.h"
#include "krg/rpc/rpc.h"

namespace krg::bench {

// Registers the services of services.h.
void serve_all(rpc::Rpc& rpc);

// One run: its coroutines, and when they are through.
class RpcCaller {
 public:
  RpcCaller(rpc::Rpc& rpc, NodeId to) : rpc_(rpc), to_(to) {}

  // Spawns the run; then the reactor is turned until finished().
  void begin(const harness::Job& job);
  bool finished() const noexcept { return running_ == 0; }
  // Stops this reactor's run() at the end. None: somebody else looks at finished().
  void stop_at_end(reactor::Reactor* reactor) noexcept { stop_ = reactor; }
  Result<harness::Sample> result();

 private:
  using Clock = std::chrono::steady_clock;

  Co<void> latency_loop();
  Co<void> rate_loop();
  Co<void> bulk_loop();
  Co<Status> one_call();
  void done(Status status) noexcept;

  rpc::Rpc& rpc_;
  const NodeId to_;
  reactor::Reactor* stop_ = nullptr;
  harness::Job job_;
  unsigned running_ = 0;
  std::uint64_t calls_ = 0;
  Clock::time_point begin_, end_;
  harness::Latencies latencies_;
  std::vector<std::byte> data_;
  Status status_;
};

}  // namespace krg::bench

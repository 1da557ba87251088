// One process of a bench over rpc on a real fabric: its reactor, as a krgd has it, and its rpc.
#pragma once

#include <memory>

#include "krg/harness/contestant.h"
#include "krg/harness/settings.h"
#include "krg/rpc/rpc.h"

namespace krg::bench {

class RpcStage : public harness::Contestant {
 public:
  explicit RpcStage(const harness::Settings& settings) : settings_(settings) {}
  ~RpcStage() override;

  Status open(harness::Side side, harness::Meeting& meeting) final;
  void serve(const harness::Job& job, const harness::Baton& baton) final;

 protected:
  // Between the opening of the fabric and the first connection.
  virtual void register_services() = 0;

  reactor::Reactor& reactor() noexcept { return reactor_; }
  rpc::Rpc& rpc() noexcept { return *rpc_; }
  NodeId other() const noexcept { return other_; }

 private:
  const harness::Settings settings_;
  const reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  std::unique_ptr<rpc::Rpc> rpc_;
  std::unique_ptr<fabric::Fabric> fabric_;  // Gone before the Rpc.
  NodeId other_;
};

}  // namespace krg::bench

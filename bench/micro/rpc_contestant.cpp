#include "rpc_contestant.h"

#include "rpc_caller.h"
#include "rpc_stage.h"

namespace krg::bench {
namespace {

class RpcContestant final : public RpcStage {
 public:
  using RpcStage::RpcStage;

  Result<harness::Sample> measure(const harness::Job& job) override {
    RpcCaller caller(rpc(), other());
    caller.stop_at_end(&reactor());
    caller.begin(job);
    reactor().run();
    return caller.result();
  }

 private:
  void register_services() override { serve_all(rpc()); }
};

}  // namespace

std::unique_ptr<harness::Contestant> rpc_contestant(const harness::Settings& settings) {
  return std::make_unique<RpcContestant>(settings);
}

}  // namespace krg::bench

#include "rpc_contestant.h"

#include <string>

#include "baton_watch.h"
#include "open_fabric.h"
#include "rpc_caller.h"

namespace krg::bench {
namespace {

using harness::Baton;
using harness::Job;
using harness::Meeting;
using harness::Sample;
using harness::Settings;
using harness::Side;

class RpcContestant final : public harness::Contestant {
 public:
  explicit RpcContestant(const Settings& settings) : settings_(settings) {}

  ~RpcContestant() override {
    if (rpc_ != nullptr) reactor_.remove_poller(*rpc_);
  }

  Status open(Side side, Meeting& meeting) override {
    const NodeId self{side == Side::client ? 0u : 1u};
    other_ = NodeId{1 - self.value};
    rpc_ = std::make_unique<rpc::Rpc>(reactor_, rpc::Rpc::Options{.self = {self, Incarnation{1}}});
    KRG_TRY_ASSIGN(fabric_, open_fabric(settings_, reactor_, *rpc_, self));
    rpc_->attach(*fabric_);
    reactor_.add_poller(*rpc_);
    serve_all(*rpc_);
    const std::string address = meeting.exchange(fabric_->address());
    rpc_->set_address(other_, address);
    return {};
  }

  void serve(const Job&, const Baton& baton) override {
    const BatonWatch watch(reactor_, baton);
    reactor_.run();
  }

  Result<Sample> measure(const Job& job) override {
    RpcCaller caller(*rpc_, other_);
    caller.stop_at_end(&reactor_);
    caller.begin(job);
    reactor_.run();
    return caller.result();
  }

 private:
  const Settings settings_;
  const reactor::RealClock clock_;
  reactor::Reactor reactor_{clock_};
  std::unique_ptr<rpc::Rpc> rpc_;
  std::unique_ptr<fabric::Fabric> fabric_;  // Gone before the Rpc.
  NodeId other_;
};

}  // namespace

std::unique_ptr<harness::Contestant> rpc_contestant(const Settings& settings) {
  return std::make_unique<RpcContestant>(settings);
}

}  // namespace krg::bench

#include "rpc_stage.h"

#include <string>

#include "baton_watch.h"
#include "open_fabric.h"

namespace krg::bench {
namespace {

using harness::Baton;
using harness::Job;
using harness::Meeting;
using harness::Side;

}  // namespace

RpcStage::~RpcStage() {
  if (rpc_ != nullptr) reactor_.remove_poller(*rpc_);
}

Status RpcStage::open(Side side, Meeting& meeting) {
  const NodeId self{side == Side::client ? 0u : 1u};
  other_ = NodeId{1 - self.value};
  rpc_ = std::make_unique<rpc::Rpc>(reactor_, rpc::Rpc::Options{.self = {self, Incarnation{1}}});
  KRG_TRY_ASSIGN(fabric_, open_fabric(settings_, reactor_, *rpc_, self));
  rpc_->attach(*fabric_);
  reactor_.add_poller(*rpc_);
  register_services();
  const std::string address = meeting.exchange(fabric_->address());
  rpc_->set_address(other_, address);
  return {};
}

void RpcStage::serve(const Job&, const Baton& baton) {
  const BatonWatch watch(reactor_, baton);
  reactor_.run();
}

}  // namespace krg::bench

#include "rpc_stage.h"

#include <string>
#include <utility>

#include "krg/ofi/open.h"
#ifdef KRG_BENCH_UCX
#include "krg/ucx/ucx.h"
#endif
namespace krg::bench {
namespace {

using harness::Baton;
using harness::Job;
using harness::Meeting;
using harness::Side;

Result<std::unique_ptr<fabric::Fabric>> open_fabric(const std::string& provider,
                                                    reactor::Reactor& reactor,
                                                    fabric::EventSink& sink,
                                                    const fabric::Options& options) {
#ifdef KRG_BENCH_UCX
  if (provider == "ucx") return ucx::open(reactor, sink, options);
#endif
  if (provider == "ofi") return ofi::open(reactor, sink, options);
  return Error(Errc::not_supported, "a provider that is not built");
}

// Ends the server's run when the baton is lost. The timer bounds how long it may sleep meanwhile.
class BatonWatch final : public reactor::Poller, private reactor::Timer {
 public:
  BatonWatch(reactor::Reactor& reactor, const Baton& baton) : reactor_(reactor), baton_(baton) {
    reactor_.add_poller(*this);
    reactor_.add_timer(*this, reactor_.after(kLook));
  }
  ~BatonWatch() override { reactor_.remove_poller(*this); }

  bool poll() noexcept override {
    if (!std::exchange(lost_, !baton_.held()) && lost_) reactor_.stop();
    return false;
  }

 private:
  static constexpr std::chrono::milliseconds kLook{2};

  void on_timer() noexcept override { reactor_.add_timer(*this, reactor_.after(kLook)); }

  reactor::Reactor& reactor_;
  const Baton& baton_;
  bool lost_ = false;
};

}  // namespace

RpcStage::~RpcStage() {
  if (rpc_ != nullptr) reactor_.remove_poller(*rpc_);
}

Status RpcStage::open(Side side, Meeting& meeting) {
  const NodeId self{side == Side::client ? 0u : 1u};
  other_ = NodeId{1 - self.value};
  rpc_ = std::make_unique<rpc::Rpc>(reactor_, rpc::Rpc::Options{.self = {self, Incarnation{1}}});
  fabric::Options options;
  options.self = {self, Incarnation{1}};
  options.key.fill(std::byte{42});
  options.listen = "127.0.0.1";
  options.reach =
      settings_.transport == harness::Transport::shm ? fabric::Reach::shm : fabric::Reach::tcp;
  KRG_TRY_ASSIGN(fabric_, open_fabric(settings_.provider, reactor_, *rpc_, options));
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

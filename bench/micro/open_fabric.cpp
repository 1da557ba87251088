#include "open_fabric.h"

#include "krg/ofi/open.h"
#ifdef KRG_BENCH_UCX
#include "krg/ucx/ucx.h"
#endif

namespace krg::bench {

Result<std::unique_ptr<fabric::Fabric>> open_fabric(const harness::Settings& settings,
                                                    reactor::Reactor& reactor,
                                                    fabric::EventSink& sink, NodeId self) {
  fabric::Options options;
  options.self = {self, Incarnation{1}};
  options.key.fill(std::byte{42});
  options.listen = "127.0.0.1";
  options.reach =
      settings.transport == harness::Transport::shm ? fabric::Reach::shm : fabric::Reach::tcp;
#ifdef KRG_BENCH_UCX
  if (settings.provider == "ucx") return ucx::open(reactor, sink, options);
#endif
  if (settings.provider == "ofi") return ofi::open(reactor, sink, options);
  return Error(Errc::not_supported, "a provider that is not built");
}

}  // namespace krg::bench

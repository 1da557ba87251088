// The fabric's conformance suite over UCX: shared memory, TCP, and what UCX picks by itself.
#include <sched.h>
#include <unistd.h>

#include "krg/testing/fabric_conformance.h"
#include "krg/ucx/ucx.h"
#include "providers.h"

namespace {

using krg::testing::ProviderUnderTest;
using krg::testing::real_provider;

ProviderUnderTest ucx_with(const char* name, krg::fabric::Reach reach) {
  return real_provider(name, [reach](krg::reactor::Reactor& reactor, krg::fabric::EventSink& sink,
                                     krg::fabric::Options options) {
    options.reach = reach;
    return krg::ucx::open(reactor, sink, options);
  });
}

}  // namespace

bool krg::testing::leave_space(int clone_flag) {
  return unshare(clone_flag | (geteuid() == 0 ? 0 : CLONE_NEWUSER)) == 0;
}

ProviderUnderTest krg::testing::other_ipc_provider() {
  return real_provider(
      "ucx_other_ipc",
      [](reactor::Reactor& reactor, fabric::EventSink& sink,
         const fabric::Options& options) -> Result<std::unique_ptr<fabric::Fabric>> {
        if (options.self.node == NodeId{2} && !leave_space(CLONE_NEWIPC)) {
          return errno_error(Errc::denied, "unshare");
        }
        return ucx::open(reactor, sink, options);
      });
}

std::vector<ProviderUnderTest> krg::testing::providers_under_test() {
  other_ipc_provider();  // Remote nodes look it up here.
  return {ucx_with("ucx_shm", fabric::Reach::shm), ucx_with("ucx_tcp", fabric::Reach::tcp),
          ucx_with("ucx_any", fabric::Reach::any), ucx_with("ucx_network", fabric::Reach::network)};
}

#include "krg/ofi/open.h"
#include "krg/testing/stage.h"

namespace krg::testing {
namespace {

OpenFabric with_reach(fabric::Reach reach) {
  return [reach](reactor::Reactor& reactor, fabric::EventSink& sink, fabric::Options options) {
    options.reach = reach;
    return ofi::open(reactor, sink, options);
  };
}

}  // namespace

std::vector<ProviderUnderTest> providers_under_test() {
  return {real_provider("ofi_tcp", with_reach(fabric::Reach::tcp)),
          real_provider("ofi_shm", with_reach(fabric::Reach::shm)),
          real_provider("ofi_any", with_reach(fabric::Reach::any))};
}

}  // namespace krg::testing

// The provider `ucx` as a library that krgd loads.
#include "krg/ucx/ucx.h"
#include "plugin.h"

void krg_open_fabric(krg::reactor::Reactor& reactor, krg::fabric::EventSink& sink,
                     const krg::fabric::Options& options, krg::krgd::OpenResult& result) {
  result.emplace(krg::ucx::open(reactor, sink, options));
}

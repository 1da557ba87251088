// The provider `ofi` as a library that krgd loads.
#include "krg/ofi/open.h"
#include "plugin.h"

void krg_open_fabric(krg::reactor::Reactor& reactor, krg::fabric::EventSink& sink,
                     const krg::fabric::Options& options, krg::krgd::OpenResult& result) {
  result.emplace(krg::ofi::open(reactor, sink, options));
}

// plugin.h: the one symbol of a network provider's library.
#pragma once

#include <memory>
#include <optional>

#include "krg/error/result.h"
#include "krg/fabric/fabric.h"
#include "krg/reactor/reactor.h"

namespace krg::krgd {

using OpenResult = std::optional<Result<std::unique_ptr<fabric::Fabric>>>;

}  // namespace krg::krgd

extern "C" {
// A provider's open(). Sets `result`.
void krg_open_fabric(krg::reactor::Reactor& reactor, krg::fabric::EventSink& sink,
                     const krg::fabric::Options& options, krg::krgd::OpenResult& result);
}

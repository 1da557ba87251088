// The fabric of a bench's node, by the provider's name on the command line.
#pragma once

#include <memory>

#include "krg/fabric/fabric.h"
#include "krg/harness/settings.h"
#include "krg/reactor/reactor.h"

namespace krg::bench {

// Node `self` on the loopback, over the transport that is asked for.
// Errors  not_supported  the provider is not built; those of its open()
Result<std::unique_ptr<fabric::Fabric>> open_fabric(const harness::Settings& settings,
                                                    reactor::Reactor& reactor,
                                                    fabric::EventSink& sink, NodeId self);

}  // namespace krg::bench

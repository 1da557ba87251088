// ofi/open.h: the fabric over libfabric.
//
// Model    reliable datagram endpoints (FI_EP_RDM) over `shm` to peers that share memory, else over
//          `verbs;ofi_rxm` where both have it, else over `tcp;ofi_rxm`; a link to every peer proves
//          it, and tells of its death. Every message carries the session's token.
// Threads  the fabric is owned by the reactor's thread.
// Blocks   opening takes some ten milliseconds.
// Source   transport/ofi/README.md; fi_endpoint(3), fi_rxm(7), fi_shm(7)
#pragma once

#include <memory>

#include "krg/error/result.h"
#include "krg/fabric/fabric.h"
#include "krg/reactor/reactor.h"

namespace krg::ofi {

// Adds the fabric to the reactor as a poller; its destructor removes it.
//
// Requires  `reactor` and `sink` outlive the fabric.
// Errors    invalid_argument  options.listen is no address of this host.
//           no_device         libfabric has no provider for options.reach.
//           system_error      a provider refused.
Result<std::unique_ptr<fabric::Fabric>> open(reactor::Reactor& reactor, fabric::EventSink& sink,
                                             const fabric::Options& options);

}  // namespace krg::ofi

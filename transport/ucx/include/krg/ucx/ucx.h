// ucx/ucx.h: the fabric over UCX: RDMA, shared memory, TCP, whatever UCX finds.
//
// Model    one UCP worker per fabric, for one thread. Small messages are active messages that carry
//          their session's token; large ones go by rendezvous. A link (transport/link) beside the
//          data path authenticates the peer, carries the addresses, and tells of the peer's death.
// Threads  open() and the fabric: the reactor's thread. UCX has a thread of its own for
//          asynchronous events.
// Blocks   open() for tens of milliseconds, and as link::LinkSet::open() does.
// Source   docs/design/wire.md; docs/decisions/0003-link-beside-fabric.md; ucp.h of UCX 1.13
#pragma once

#include <memory>

#include "krg/error/result.h"
#include "krg/fabric/fabric.h"
#include "krg/reactor/reactor.h"

namespace krg::ucx {

// Opens the fabric and adds it to the reactor as a poller; its destructor removes it. Raises the
// soft limit of file descriptors to the hard one, and calls remove_signal_handlers() and
// take_messages().
//
// Requires  `reactor` and `sink` outlive the fabric.
// Errors    as link::LinkSet::open(); no_device if UCX can not start with what options.reach asks
//           for.
Result<std::unique_ptr<fabric::Fabric>> open(reactor::Reactor& reactor, fabric::EventSink& sink,
                                             const fabric::Options& options);

// Sets every signal whose handler is UCX's back to its default; handlers of others stay. UCX
// installs its own for SIGSEGV, SIGBUS, SIGILL, SIGFPE and SIGHUP when its library is loaded,
// before main(), where no setting that this process makes can reach it. Returns how many there
// were.
int remove_signal_handlers() noexcept;

// From now on UCX's errors and warnings are lines of krg's log, of level info: what they say comes
// back as a status, too. Not if UCX_LOG_LEVEL is set. Of the whole process.
void take_messages() noexcept;

}  // namespace krg::ucx

// pmix/pmix_upcalls.h: the functions that libpmix calls on its own threads.
//
// Model    each copies its arguments, shifts the work to the reactor and returns at once; the
//          answer goes back by the call-back that came along. libpmix gives its functions no
//          context, and there is one libpmix in a process: so the server that they serve is a
//          global, the only one of this module.
// Threads  the upcalls run on libpmix's threads; what they shift runs on the reactor's.
// Blocks   never.
// Source   pmix_server.h of libpmix 4.2.2
#pragma once

#include <pmix.h>
#include <pmix_server.h>

#include <memory>
#include <utility>

#include "pmix_server.h"

namespace krg::pmix {

// Fills in libpmix's table of functions.
void set_job_upcalls(pmix_server_module_t& module);
void set_data_upcalls(pmix_server_module_t& module);

// The server that upcalls go to; nullptr for none.
void set_current_server(std::shared_ptr<PmixServer> server);
std::shared_ptr<PmixServer> current_server();

// Runs `body`, a function from the server to a Co<void>, on the reactor's thread. When the server
// has stopped by then it is dropped, with the call-back in it: that libpmix is no more.
template <class Body>
pmix_status_t shift(Body body) {
  const std::shared_ptr<PmixServer> server = current_server();
  if (server == nullptr) return PMIX_ERR_UNREACH;
  server->mailbox().post([server, body = std::move(body)] {
    if (!server->stopped()) server->service().reactor().spawn(body(server));
  });
  return PMIX_SUCCESS;
}

// The same for a function of the server that needs no coroutine: it runs in the order of the
// mailbox, so that what a rank said before its end is known before its end is judged.
template <class Body>
pmix_status_t shift_at_once(Body body) {
  const std::shared_ptr<PmixServer> server = current_server();
  if (server == nullptr) return PMIX_ERR_UNREACH;
  server->mailbox().post([server, body = std::move(body)] {
    if (!server->stopped()) body(*server);
  });
  return PMIX_SUCCESS;
}

}  // namespace krg::pmix

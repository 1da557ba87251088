// baseline/peers.h: the raw communication libraries, as fast as their own interfaces allow.
//
// Model    contestants that echo (latency, rate) or receive into one fixed buffer and acknowledge
//          (bandwidth), without anything that a real service needs: no ids, no checks, no
//          deadlines, no error handling mode, busy polling. What krg's rpc is compared with.
// Threads  each process calls its contestant from one thread.
// Blocks   as long as a run takes.
// Source   bench/baseline/README.md
#pragma once

#include <cstddef>
#include <memory>

#include "krg/harness/contestant.h"
#include "krg/harness/settings.h"

namespace krg::baseline {

// UCX active messages without header, requests answered from the receive callback.
std::unique_ptr<harness::Contestant> ucx_active_message(harness::Transport transport);

// Page faults of one task, served by a thread of it from a userfaultfd; a page of the other process
// by a raw UCX active message. Job::detail: a PageRow (page_rounds.h). `warm`: the frames of pages
// that are to come again are never given up, which nobody can do who takes pages away from tasks.
std::unique_ptr<harness::Contestant> page_fault(harness::Transport transport, bool warm = false);

// Reads memory that is shared and mapped. Alone.
std::unique_ptr<harness::Contestant> mapped_memory();

// libfabric FI_EP_RDM messages with inject, over `shm` or `tcp;ofi_rxm`.
// Requires  no job is larger than `size_max`.
std::unique_ptr<harness::Contestant> libfabric_message(harness::Transport transport,
                                                       std::size_t size_max);

}  // namespace krg::baseline

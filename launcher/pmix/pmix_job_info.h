// pmix/pmix_job_info.h: a job in the keys of PMIx.
//
// Model    everything that Slurm's and PRRTE's servers give, because each MPI library reads another
//          part. Given per-process arrays replace what libpmix would derive from the maps, so they
//          are complete.
// Threads  safe.
// Blocks   never. Cost: O(ranks).
// Source   PMIx standard 4.1, chapter 16.2.3; PRRTE src/prted/pmix/pmix_server_register_fns.c
#pragma once

#include "job_server_impl.h"
#include "pmix_info.h"

namespace krg::pmix {

// Errors  system_error  libpmix refuses a value.
Result<Infos> job_infos(const JobServer::Impl& job, const ServiceOptions& options);

}  // namespace krg::pmix

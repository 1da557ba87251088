// pmix/job_server.h: the process-management servers that a krgd holds for the ranks of one job.
//
// Model    made by Service::create_job on every node of the job. For each rank of this node:
//          rank_environment() before it is started, rank_started() or rank_exited() after. What
//          ranks ask for that is not ours to do comes as a call of the JobListener. MPICH's ranks
//          talk PMI-1 over an inherited socket, Open MPI's talk PMIx to libpmix; a rank is offered
//          both and uses what it knows.
// Threads  owned by the reactor's thread, and so are the listener's calls.
// Blocks   never.
// Source   docs/design/pmi.md
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "krg/error/result.h"
#include "krg/pmix/job.h"
#include "krg/reactor/co.h"

namespace krg::pmix {

// What a job's ranks ask of the launcher. Outlives the JobServer.
class JobListener {
 public:
  virtual ~JobListener() = default;
  // A rank of this node has said its first word to us: it is a program of MPI or the like.
  virtual void on_initialized(Rank) {}
  // A rank of this node called MPI_Abort, or broke the protocol: end the job. `code` is the exit
  // code it asked for, `message` one line without a newline, perhaps empty. May come more than
  // once.
  virtual void on_abort(Rank rank, int code, const std::string& message) = 0;
  // A rank wants a new job. The answer is its name space, once the job's JobServers exist on every
  // node of this job and of the new one; its ranks may then start. Errors go to the rank.
  virtual Co<Result<std::string>> on_spawn(SpawnRequest request) = 0;
  // A rank or a tool asks for a signal to these processes of any node; rank may be kEveryRank.
  virtual void on_signal(std::vector<ProcessName> targets, int signal) = 0;
  // A rank wrote a line to the launcher's log (PMIx_Log).
  virtual void on_log(Rank rank, const std::string& text) = 0;
};

// What a rank's process is started with.
struct RankLaunch {
  std::vector<std::string> environment;  // All of it, "NAME=value".
  std::vector<int> fds;  // To be inherited under the same number; the JobServer owns them.
};

class JobServer {
 public:
  class Impl;
  explicit JobServer(std::shared_ptr<Impl> impl) noexcept;
  JobServer(const JobServer&) = delete;
  JobServer& operator=(const JobServer&) = delete;
  // Ends the sessions of ranks that are still there and forgets the name space.
  ~JobServer();

  const JobDescription& description() const noexcept;

  // The environment of `rank`, made from the user's: variables of an outer launcher are taken out,
  // the servers' are put in, and settings that a user may have made himself (OMPI_MCA_*,
  // MPIR_CVAR_*, HWLOC_*) are put in only where he has not. Start the process with the descriptors
  // inherited, in its own session (setsid), with an empty signal mask.
  //
  // Requires  `rank` is of this node, and this is not called again before its rank_exited().
  // Errors    system_error  no descriptor is left.
  Result<RankLaunch> rank_environment(Rank rank, const std::vector<std::string>& user);
  // The process runs: our copy of its descriptors is closed.
  void rank_started(Rank rank, pid_t pid);
  // The process ended, with the status of waitpid(2), or could not be started (any status). A rank
  // that ends between MPI_Init and MPI_Finalize aborts the job, even with exit code 0.
  void rank_exited(Rank rank, int status);

  // PMI-1 requests served so far, for statistics.
  std::uint64_t pmi1_requests() const noexcept;

 private:
  std::shared_ptr<Impl> impl_;  // Shared with the coroutines that serve its ranks.
};

}  // namespace krg::pmix

// pmix/job_server_impl.h: one job on this node, as the front ends see it.
//
// Model    see job_server.h.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/pmi.md
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "krg/pmix/job_server.h"
#include "layout.h"
#include "pmi1_job.h"
#include "service_impl.h"

namespace krg::pmix {

class JobServer::Impl : public std::enable_shared_from_this<JobServer::Impl> {
 public:
  // How far a rank has come, in whichever family it speaks.
  struct Progress {
    bool running = false, initialized = false, finalized = false;
    bool fenced = false;  // It has come to a fence with ranks of other nodes.
    pid_t pid = 0;
  };

  Impl(std::shared_ptr<Service::Impl> service, JobDescription description, Layout layout,
       JobListener& listener);
  ~Impl();

  Result<RankLaunch> rank_environment(Rank rank, const std::vector<std::string>& user);
  void rank_started(Rank rank, pid_t pid);
  void rank_exited(Rank rank, int status);
  // The JobServer is gone: serve nobody any more.
  void close();

  // From the front ends.
  void abort(Rank rank, int code, const std::string& message);
  void initialized(Rank rank);
  void finalized(Rank rank) { progress_[rank].finalized = true; }
  // Of one rank, or of all with kEveryRank; ranks of other nodes are ignored.
  void fenced(Rank rank);

  bool closed() const noexcept { return closed_; }
  const JobDescription& description() const noexcept { return description_; }
  const Layout& layout() const noexcept { return layout_; }
  JobListener& listener() noexcept { return listener_; }
  Service::Impl& service() noexcept { return *service_; }
  Pmi1Job& pmi1() noexcept { return *pmi1_; }
  const std::map<Rank, Progress>& progress() const noexcept { return progress_; }

 private:
  void judge_exit(Rank rank, int status);

  const std::shared_ptr<Service::Impl> service_;
  const JobDescription description_;
  const Layout layout_;
  JobListener& listener_;
  const std::shared_ptr<Pmi1Job> pmi1_;  // Shared with its coroutines.
  std::map<Rank, Progress> progress_;    // The ranks of this node.
  bool closed_ = false;
};

}  // namespace krg::pmix

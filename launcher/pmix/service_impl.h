// pmix/service_impl.h: the service as its own parts see it.
//
// Model    see service.h. Job servers and the PMIx front end reach other nodes by it.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/pmi.md
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "fence_table.h"
#include "krg/pmix/service.h"
#include "messages.h"
#include "name_table.h"

namespace krg::pmix {

class PmixServer;

class Service::Impl : public std::enable_shared_from_this<Service::Impl> {
 public:
  Impl(reactor::Reactor& reactor, Exchange& exchange, ServiceOptions options);
  ~Impl();

  Status start();
  void stop();
  Co<Result<std::unique_ptr<JobServer>>> create_job(JobDescription description,
                                                    JobListener& listener);
  Co<Result<Blob>> answer(NodeId from, Blob question);
  void node_lost(NodeId node);

  // Brings together one blob from each of `nodes` (sorted, this one among them).
  Co<Result<FenceResult>> gather(std::string tag, std::vector<NodeId> nodes, Blob blob,
                                 Deadline deadline);
  Co<Status> publish(Published published, Deadline deadline);
  Co<Status> unpublish(NameQuestion question, Deadline deadline);
  Co<Result<Names>> look_up(NameQuestion question, Deadline deadline);
  // Asks any node, this one included.
  Co<Result<Blob>> ask(NodeId node, Blob question, Deadline deadline);

  // The job, or nullptr.
  JobServer::Impl* job(const std::string& name_space) const;
  // The ranks that this node has of a job; none if it does not know it.
  ProcessTable table(const std::string& name_space) const;
  const std::map<std::string, JobServer::Impl*>& jobs() const noexcept { return jobs_; }
  void forget_job(const std::string& name_space) { jobs_.erase(name_space); }

  reactor::Reactor& reactor() noexcept { return reactor_; }
  const ServiceOptions& options() const noexcept { return options_; }
  PmixServer* pmix() noexcept { return pmix_.get(); }

 private:
  reactor::Reactor& reactor_;
  Exchange& exchange_;
  ServiceOptions options_;
  FenceTable fences_;
  NameTable names_;
  std::map<std::string, JobServer::Impl*> jobs_;
  std::shared_ptr<PmixServer> pmix_;  // nullptr: PMI-1 alone. Shared with its coroutines.
};

}  // namespace krg::pmix

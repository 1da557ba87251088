// pmix/pmix_server.h: the PMIx front end: libpmix's server in this process.
//
// Model    libpmix keeps what ranks put and serves its clients on threads of its own; what needs
//          other nodes, or the launcher, comes up as a function call on such a thread
//          (pmix_upcalls.h), which copies its arguments, posts them to the reactor's mailbox and
//          returns.
// Threads  owned by the reactor's thread, but for the upcalls.
// Blocks   start() and stop(), for a few milliseconds.
// Source   PMIx standard 4.1, chapter 16; libpmix 4.2.2 src/server
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "environment.h"
#include "job_server_impl.h"
#include "pmix_topology.h"
#include "service_impl.h"

namespace krg::pmix {

class PmixServer : public std::enable_shared_from_this<PmixServer> {
 public:
  // Errors  as of Service::start.
  static Result<std::shared_ptr<PmixServer>> start(Service::Impl& service);
  ~PmixServer();
  // After this no upcall comes and no call-back of libpmix may be called.
  void stop();
  bool stopped() const noexcept { return service_ == nullptr; }

  // Makes the job and its ranks of this node known to libpmix.
  Co<Status> add_job(std::shared_ptr<JobServer::Impl> job);
  void remove_job(const std::string& name_space);
  Status add_rank_environment(JobServer::Impl& job, Rank rank, Environment& environment);
  // Tells the other ranks, here and on other nodes, that one ended badly.
  void rank_failed(JobServer::Impl& job, Rank rank, int status);

  // What a rank of this node has put for others, once it has.
  Co<Result<Blob>> local_modex(ModexQuestion question, Deadline deadline);
  // What any rank has put.
  Co<Result<Blob>> modex(ModexQuestion question, Deadline deadline);
  // Brings together the blobs of the nodes of `members`, of whom a rank may be kEveryRank. Fences
  // of the same operation and members meet in the order in which each node calls this.
  Co<Result<FenceResult>> fence(std::string operation, std::vector<ProcessName> members, Blob blob,
                                Deadline deadline);
  // An event of another node, for the processes of this one.
  void deliver(const EventMessage& event);
  // Sends an event of this node to the others that it concerns.
  void send_event(EventMessage event);
  // A name space for a tool that connects.
  ProcessName next_tool();

  // Safe from any thread.
  reactor::Mailbox& mailbox() noexcept { return mailbox_; }
  // Requires  !stopped().
  Service::Impl& service() noexcept { return *service_; }
  Deadline after(std::optional<std::chrono::seconds> timeout) const;

 private:
  explicit PmixServer(Service::Impl& service)
      : service_(&service), mailbox_(service.reactor().mailbox()) {}
  Status initialize();
  // Whether a rank of this node can be expected to put the key.
  bool may_put(const ModexQuestion& question) const;
  // The nodes of `members`, sorted. Errors: not_found  a name space is not known here.
  Result<std::vector<NodeId>> nodes_of(const std::vector<ProcessName>& members) const;

  Service::Impl* service_;  // nullptr once stopped.
  reactor::Mailbox& mailbox_;
  NodeTopology topology_;
  std::map<std::string, std::uint64_t> fences_;  // How often each signature has been used.
  std::uint64_t tools_ = 0;
};

}  // namespace krg::pmix

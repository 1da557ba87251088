// pmix/service.h: a krgd's process-management service: what all jobs of a node share.
//
// Model    one per process, because libpmix is. It answers the questions of other nodes, keeps the
//          published names (on the home node) and gathers fences (on a fence's lowest node).
// Threads  owned by the reactor's thread. libpmix's own threads hand everything over by the
//          mailbox.
// Blocks   start() and the destructor for a few milliseconds (libpmix); nothing else.
// Source   docs/design/pmi.md; PMIx standard 4.1
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "krg/pmix/exchange.h"
#include "krg/pmix/job.h"
#include "krg/pmix/job_server.h"
#include "krg/reactor/reactor.h"

namespace krg::pmix {

struct ServiceOptions {
  NodeId self, home;  // The home node keeps the published names.
  std::string host;   // This node's host name, as in JobNode::host.
  std::string
      folder;  // Existing, private to the user; holds the servers' sockets. At most 80 characters.
  // The node's topology as hwloc XML, for libpmix and for the ranks, which start twice as fast with
  // it. Empty: found out at start, without I/O devices, and written to `folder`.
  std::string topology_file;
  bool pmix = true;  // False: PMI-1 alone; libpmix is not touched.
  // See finalize_rule.h; zero turns it off.
  Duration finalize_patience = std::chrono::milliseconds(300);
};

// Says how large the jobs to come are, 0 = not known: for small ones libpmix need not make its
// shared-memory store, which costs 2 ms a job. The user's PMIX_MCA_gds goes before.
// Requires  no other thread reads the environment; no Service has been started.
void expect_ranks(std::size_t ranks) noexcept;

class Service {
 public:
  // `reactor` and `exchange` outlive the service. SIGCHLD and whatever else the caller reads by
  // signalfd must be blocked before: libpmix's threads inherit the mask.
  //
  // Errors  invalid_argument; already_exists  a service with PMIx runs in this process;
  //         system_error      libpmix would not start; native is its status.
  static Result<std::unique_ptr<Service>> start(reactor::Reactor& reactor, Exchange& exchange,
                                                ServiceOptions options);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  // Requires  every JobServer is gone.
  ~Service();

  // The servers of a job, ready for its ranks. Called on every node of the job; also on the nodes
  // of a job related to it by spawn, which then have no rank of it.
  //
  // Requires  `listener` outlives the JobServer.
  // Errors    invalid_argument; already_exists  the name space is in use.
  Co<Result<std::unique_ptr<JobServer>>> create_job(JobDescription description,
                                                    JobListener& listener);

  // The answer to a question that Exchange::ask() carried here from `from`.
  Co<Result<Blob>> answer(NodeId from, Blob question);
  // A node is gone: whoever waits for it gets peer_down.
  void node_lost(NodeId node);

  class Impl;

 private:
  explicit Service(std::shared_ptr<Impl> impl) noexcept;

  std::shared_ptr<Impl> impl_;  // Shared with the coroutines that answer.
};

}  // namespace krg::pmix

// jobs/pmi.h: the process-management service of this krgd, started when the first job needs it.
//
// Model    an Exchange over rpc, and at most one pmix::Service. Its folder holds sockets and is
//          private.
// Threads  owned by the reactor's thread.
// Blocks   service() the first time, for some milliseconds (libpmix).
// Source   docs/design/pmi.md
#pragma once

#include <memory>
#include <string>

#include "krg/node/node.h"
#include "krg/pmix/exchange.h"
#include "krg/pmix/service.h"

namespace krg::jobs {

class Pmi final : private pmix::Exchange {
 public:
  // `topology_file`: hwloc XML of this machine, or "".
  Pmi(node::Node& node, std::string folder, std::string topology_file);
  Pmi(const Pmi&) = delete;
  Pmi& operator=(const Pmi&) = delete;
  ~Pmi() override;

  // With `pmix` also for PMIx, with `finalize_breaker` with the rule of that name. The first job
  // decides for this krgd.
  // Errors  those of pmix::Service::start.
  Result<pmix::Service*> service(bool pmix, bool finalize_breaker);
  const std::string& folder() const noexcept { return folder_; }

 private:
  Co<Result<pmix::Blob>> ask(NodeId node, pmix::Blob question, Deadline deadline) override;

  node::Node& node_;
  const std::string folder_;
  const std::string topology_file_;
  std::unique_ptr<pmix::Service> service_;
};

}  // namespace krg::jobs

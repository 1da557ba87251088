// pmix/pmi1_job.h: the PMI-1 front end of one job on this node.
//
// Model    a socket pair and a session for each rank of the node. Puts are kept here; when all
// ranks of the
//          node have come to a barrier, the node's puts since the last one go out with its arrival,
//          and everybody's come back: one message for each node, and every later get is local.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/pmi.md, "PMI-1"; MPICH src/pmi/simple
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/pmix/finalize_rule.h"
#include "krg/pmix/job_server.h"
#include "krg/pmix/kvs.h"
#include "krg/pmix/pmi1_protocol.h"
#include "krg/reactor/reactor.h"

namespace krg::pmix {

class Pmi1Job final : public std::enable_shared_from_this<Pmi1Job>, private reactor::Timer {
 public:
  Pmi1Job(JobServer::Impl& job, Duration patience);
  ~Pmi1Job();

  // The number of the descriptor that `rank` shall inherit.
  Result<int> open(Rank rank);
  void started(Rank rank);
  // Serves what the rank wrote before it ended, then closes.
  void exited(Rank rank);
  void close();

  // Whether this node has no put in `epoch` for the barrier to hand over.
  bool quiet(std::uint64_t epoch) const noexcept;
  std::uint64_t requests() const noexcept { return requests_; }

 private:
  class Connection;

  Status put(std::string_view key, std::string_view value);
  void arrive(Rank rank);
  void release_waiting();
  void watch_barrier();
  void on_timer() noexcept override;
  static Co<void> fence(std::shared_ptr<Pmi1Job> self);
  static Co<void> confirm_quiet(std::shared_ptr<Pmi1Job> self, std::uint64_t epoch);
  void fence_done(const std::vector<std::vector<std::byte>>& blobs);
  Connection* connection(Rank rank);

  static Co<void> publish(std::shared_ptr<Pmi1Job> self, Rank rank, std::string service,
                          std::string port);
  static Co<void> unpublish(std::shared_ptr<Pmi1Job> self, Rank rank, std::string service);
  static Co<void> look_up(std::shared_ptr<Pmi1Job> self, Rank rank, std::string service);
  static Co<void> spawn(std::shared_ptr<Pmi1Job> self, Rank rank, SpawnRequest request);

  JobServer::Impl* job_;  // nullptr once closed.
  reactor::Reactor& reactor_;
  Kvs kvs_;
  KeyValues fresh_;  // Puts of this epoch.
  std::map<Rank, std::unique_ptr<Connection>> connections_;

  std::uint64_t epoch_ = 0;    // Barriers that have filled.
  std::size_t arrived_ = 0;    // Ranks of this node in the present one.
  std::vector<Rank> waiting_;  // Those of them that have not been let go.
  FinalizeRule rule_;
  bool confirming_ = false;
  std::uint64_t requests_ = 0;
};

}  // namespace krg::pmix

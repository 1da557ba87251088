// jobs/service.h: the jobs of a krgd: those that it leads and its part of all others.
//
// Model    a job is led by the krgd that its client is connected to; that one places nothing and
//          decides everything: it prepares, starts and ends the job's part on every node, and
//          passes on what they report. A part whose leader is lost ends itself. A node that is to
//          leave takes no new part, and waits until the others and the jobs it leads have ended.
// Threads  owned by the reactor's thread.
// Blocks   starting ranks, for 0.4 ms each.
// Source   docs/design/launch.md, "A job"
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>

#include "krg/cluster/view_listener.h"
#include "krg/control/connection.h"
#include "krg/jobs/client.h"
#include "krg/jobs/pmi.h"
#include "krg/jobs/spec.h"
#include "krg/moves/service.h"
#include "krg/node/node.h"
#include "krg/proc/supervisor.h"
#include "krg/tasks/table.h"

namespace krg::jobs {

class HeadJob;
class NodeJob;

class Service final : private cluster::ViewListener {
 public:
  Service(node::Node& node, proc::Supervisor& supervisor, Pmi& pmi);
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;
  ~Service() override;

  // Leads a new job for a client, to whom it sends everything up to Ended.
  // Errors  invalid_argument  the spec contradicts itself or names a node that is not here.
  Result<std::shared_ptr<HeadJob>> lead(JobSpec spec, control::Connection& client);

  node::Node& node() noexcept { return node_; }
  tasks::Table& tasks() noexcept { return tasks_; }
  moves::Service& moves() noexcept { return moves_; }
  std::size_t jobs() const noexcept { return parts_.size(); }

 private:
  void serve();
  NodeJob* part(JobId job) const noexcept;
  void drop_part(JobId job);
  std::shared_ptr<HeadJob> add(JobSpec spec, control::Connection* client,
                               std::shared_ptr<HeadJob> parent);
  std::string bind_here(JobSpec& spec, std::uint32_t first_rank) const;
  std::shared_ptr<HeadJob> led(JobId job) const noexcept;
  void node_lost(NodeId node, Error why);
  bool is_idle();

  // cluster::ViewListener
  const char* name() const noexcept override { return "jobs"; }
  Co<Status> prepare(const cluster::ViewChange& change, Deadline deadline) override;
  void abort(const cluster::ViewChange&) noexcept override { draining_ = false; }
  void commit(const cluster::ViewChange&) noexcept override {}

  node::Node& node_;
  proc::Supervisor& supervisor_;
  Pmi& pmi_;
  const tasks::MachineProcesses processes_;
  tasks::Table tasks_;
  moves::Service moves_;
  bool draining_ = false;  // This node is to leave.
  std::uint32_t last_job_ = 0;
  std::uint32_t last_group_ = 0;
  // A led job is kept by the coroutine that runs it, a part is shared with those that serve it.
  std::unordered_map<JobId, std::weak_ptr<HeadJob>> led_;
  std::unordered_map<JobId, std::shared_ptr<NodeJob>> parts_;
};

}  // namespace krg::jobs

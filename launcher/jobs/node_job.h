// node_job.h: one node's part of a job: its ranks, their output on its way to the head, their end.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "krg/jobs/pmi.h"
#include "krg/jobs/spec.h"
#include "krg/node/node.h"
#include "krg/pmix/job_server.h"
#include "krg/proc/supervisor.h"
#include "krg/tasks/table.h"
#include "messages.h"

namespace krg::jobs {

// Shared by its coroutines: the last one to end frees it.
class NodeJob final : public std::enable_shared_from_this<NodeJob>,
                      private proc::TaskObserver,
                      private pmix::JobListener {
 public:
  NodeJob(node::Node& node, proc::Supervisor& supervisor, tasks::Table& tasks, JobId id,
          NodeId head, std::uint32_t group, JobSpec spec, std::uint32_t first_rank);
  ~NodeJob() override;

  // launch() is to start nothing and to say why.
  void refuse(std::string why) { refusal_ = std::move(why); }
  Co<Status> prepare(Pmi& pmi);
  Launch::Reply launch();
  void signal(std::uint32_t rank, int number);
  Co<bool> feed(std::uint32_t rank, std::vector<std::byte> bytes);
  Co<bool> end(Duration grace);

  NodeId head() const noexcept { return head_; }
  std::size_t running() const noexcept { return by_task_.size(); }

 private:
  struct Rank;

  Result<proc::TaskSpec> task_of(const Rank& rank);
  void started(Rank& rank, proc::TaskId task);
  Launch::Reply refusal(const Rank& rank, const Error& error) const;
  void add(Report::Event event);
  static Co<void> report(std::shared_ptr<NodeJob> self);
  static Co<void> pass_signal(std::shared_ptr<NodeJob> self, NodeId node, std::uint32_t rank,
                              int number);
  bool reads(const Rank& rank) const noexcept;

  void on_output(proc::TaskId task, proc::Stream stream, std::span<const std::byte> text) override;
  void on_input_room(proc::TaskId task) override;
  void on_exit(proc::TaskId task, const proc::ExitStatus& status) override;

  void on_initialized(pmix::Rank rank) override;
  void on_abort(pmix::Rank rank, int code, const std::string& message) override;
  Co<Result<std::string>> on_spawn(pmix::SpawnRequest request) override;
  void on_signal(std::vector<pmix::ProcessName> targets, int signal) override;
  void on_log(pmix::Rank rank, const std::string& text) override;

  node::Node& node_;
  proc::Supervisor& supervisor_;
  tasks::Table& tasks_;
  const JobId id_;
  const NodeId head_;
  const std::uint32_t group_;
  const JobSpec spec_;
  std::vector<std::unique_ptr<Rank>> ranks_;  // Of this node.
  std::unordered_map<proc::TaskId, Rank*> by_task_;
  std::unique_ptr<pmix::JobServer> server_;
  std::deque<Report::Event> events_;
  std::size_t event_bytes_ = 0;
  std::string refusal_;
  bool reporting_ = false;
  bool head_lost_ = false;
  bool ending_ = false;
  reactor::Event reported_;  // Set when nothing waits to be reported.
  reactor::Event input_room_;
};

}  // namespace krg::jobs

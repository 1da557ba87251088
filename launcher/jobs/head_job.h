// head_job.h: a job as the node that leads it sees it: all ranks, and the client that asked for it.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "krg/control/connection.h"
#include "krg/hotplug/membership.h"
#include "krg/jobs/client.h"
#include "krg/jobs/spec.h"
#include "krg/node/node.h"
#include "messages.h"

namespace krg::jobs {

// Shared by its coroutines and by the service, which finds it for reports.
class HeadJob final : public std::enable_shared_from_this<HeadJob> {
 public:
  // Registers a job that a rank of `parent` has spawned, and gives it an id.
  using Adopt = std::function<std::shared_ptr<HeadJob>(JobSpec, HeadJob& parent)>;

  // `parent` is nullptr for a job of the client's own.
  HeadJob(node::Node& node, JobId id, JobSpec spec, control::Connection* client, Adopt adopt,
          std::shared_ptr<HeadJob> parent);
  ~HeadJob();

  // From Prepare to Ended.
  Co<void> run();
  // A rank wants a new job on the same nodes: its name space, once it is prepared.
  Co<Result<std::string>> spawn(pmix::SpawnRequest request);

  // The client asks.
  void stop(Stop why);
  void signal(int number);
  void input(std::vector<std::byte> bytes);
  // The client is gone: nothing more is sent to it, the job is killed.
  void abandon();

  // A node reports; answered when the client's connection has room again.
  Co<Status> report(NodeId from, Report::Request request);
  void node_lost(NodeId node, Error why);
  bool uses(NodeId node) const noexcept;
  control::Connection* client() const noexcept { return client_; }

 private:
  struct Verdict {
    int code = 0;
    std::string text;
    bool grace = true;
    bool by_rank = false;  // A rank's bad end; it may be the consequence of a lost node.
  };

  // run() in two parts.
  Co<bool> get_ready();
  Co<void> go_on();
  Co<void> go_on_as_child();
  JobSpec child_spec(pmix::SpawnRequest request) const;
  void decide(Verdict verdict);
  void decide_loss(const std::string& text);
  std::string place_of(std::uint32_t rank) const;
  std::string name_of(NodeId node) const;
  bool is_lost(NodeId node) const noexcept;
  void apply(NodeId from, const Report::Event& event);
  Co<void> judge_losses();
  std::string lost_text(const std::vector<NodeId>& nodes) const;
  void watch(NodeId node);
  void unwatch(NodeId node);
  bool is_over() const noexcept { return verdict_.has_value() || left_ == 0; }

  // Of an elastic job: elastic_job.cpp.
  void begin_growing();
  void on_event(const hotplug::NodeEvent& event);
  void welcome(NodeId node, Incarnation life);
  void take_in(NodeId node, std::uint32_t count);
  Co<void> start_on(NodeId node, std::uint32_t first, std::uint32_t count);
  void release_if_done(NodeId node);
  std::vector<std::uint32_t> running_on(NodeId node) const;
  std::vector<std::uint32_t> drop(NodeId node);
  void note_loss(NodeId node);
  void tell_losses();
  template <class F>
  Co<void> on_every_node(F each);
  Co<void> prepare(NodeId node);
  Co<void> launch(NodeId node);
  Co<void> end(NodeId node);
  Co<void> forward_input(std::vector<std::byte> bytes);
  template <control::Framed M>
  void tell(const M& message) {
    if (client_ != nullptr) client_->send(message);
  }

  node::Node& node_;
  const JobId id_;
  JobSpec spec_;                 // Of an elastic job it grows; nothing else changes.
  control::Connection* client_;  // nullptr: gone.
  const Adopt adopt_;
  const std::shared_ptr<HeadJob> parent_;         // Shared: it outlives what it has spawned.
  std::vector<std::weak_ptr<HeadJob>> children_;  // Spawned by its ranks.
  std::size_t running_children_ = 0;
  reactor::Event changed_;
  std::vector<bool> ended_;  // By rank; also those that have not begun.
  std::size_t left_;         // Ranks that have not ended.
  std::vector<NodeId> watched_;
  std::vector<NodeId> lost_;
  bool silent_loss_ = false;
  bool cut_off_ = false;  // This node has no lease: it is not the others that are lost.
  bool judging_ = false, judged_ = false;
  bool launched_ = false;           // All nodes have started their ranks, or said why not.
  std::optional<Verdict> verdict_;  // Why the job ends before its ranks have.
  bool input_over_ = false;         // Whoever starts now has nothing to read.

  std::shared_ptr<const node::Node::OnEvent> events_;  // Shared with the node, which watches it.
  std::map<NodeId, Incarnation> lives_;                // The last one that was here or joined.
  std::size_t changing_ = 0;                           // Nodes that come to the job or are let go.
  std::size_t coming_ = 0;                             // Ranks that are prepared and not in left_.
  std::vector<NodeId> dropped_;                        // Lost, and not told yet,
  std::vector<std::uint32_t> dropped_ranks_;           // with these ranks.
};

}  // namespace krg::jobs

// cluster.h: the cluster that a job runs on: one made for it, or one that stands.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "krg/boot/starter.h"
#include "krg/config/environment.h"
#include "krg/control/connection.h"
#include "krg/jobs/client.h"
#include "krg/krgrun/job.h"
#include "krg/krgrun/plan.h"
#include "krg/proc/supervisor.h"

namespace krg::runner {

// What the cluster's first krgd says, and that the cluster is broken.
class ClusterClient {
 public:
  virtual void on_frame(std::uint16_t type, wire::Bytes body) = 0;
  // The way to the job is gone, or a node has ended: one line.
  virtual void on_cluster_lost(const std::string& why) = 0;

 protected:
  ~ClusterClient() = default;
};

class Cluster final : private boot::Upward, private control::ConnectionHandler {
 public:
  Cluster(reactor::Reactor& reactor, proc::Supervisor& supervisor,
          const config::Environment& environment, const krgrun::Job& job, ClusterClient& client,
          std::function<int()> krgd = nullptr);
  ~Cluster();

  // What come_up() starts shall stay when this process has ended.
  void set_standing() noexcept { standing_wanted_ = true; }
  // Starts or finds it. Errors  with one line in complaint().
  Co<Status> come_up(Deadline deadline);
  const std::string& complaint() const noexcept { return complaint_; }

  // Ends come_up() with an error.
  void give_up() noexcept {
    if (complaint_.empty()) complaint_ = "given up";
    changed_.set();
  }

  // Once it is up: its nodes in the order of their ids, as the placement wants them.
  Result<std::vector<krgrun::NodeTopology>> topologies();
  const std::vector<std::string>& hosts() const noexcept { return hosts_; }
  // The node at a place of hosts(): a cluster that stands may have lost some.
  NodeId node_at(std::size_t place) const noexcept {
    return nodes_.empty() ? NodeId{static_cast<std::uint32_t>(place)} : nodes_[place];
  }
  control::Connection& connection() noexcept;

  // Ends what was started for this job; true if nothing is left.
  Co<bool> shut_down(Deadline deadline);

 private:
  Status plan_start(boot::Init& init);
  Co<Status> start(Deadline deadline);
  Co<Status> attach(Deadline deadline);
  void load_machine();
  Error complain(Errc code, std::string text);
  std::string name_of(std::uint32_t node) const;

  void on_hello(const boot::Hello& hello) override;
  void on_ready(const boot::Ready& ready) override;
  void on_failed(const boot::Failed& failed) override;
  void on_client_frame(std::uint16_t type, wire::Bytes body) override;
  void on_frame(control::Connection& from, std::uint16_t type, wire::Bytes body) override;
  void on_closed(control::Connection& connection, Status why) override;

  reactor::Reactor& reactor_;
  const config::Environment& environment_;
  const krgrun::Job& job_;
  ClusterClient& client_;
  boot::Starter starter_;
  std::unique_ptr<control::Connection> standing_;
  reactor::Event changed_;
  bool up_ = false;
  bool standing_wanted_ = false;
  std::string complaint_;
  std::shared_ptr<const topo::Topology> machine_;   // Shared with the plan's nodes.
  std::vector<std::string> hosts_;                  // Of a cluster that was started: by node id.
  std::vector<NodeId> nodes_;                       // Of one that stands: those of hosts_.
  std::vector<std::optional<boot::Hello>> hellos_;  // By node id.
  std::size_t greeted_ = 0;
  std::size_t ready_ = 0;
};

}  // namespace krg::runner

// Views as a real cluster has them: each node's hotplug::Membership agrees on them with the
// others', over the simulated network, and takes its Kddm through prepare and commit.
#pragma once

#include <map>
#include <set>

#include "cluster.h"

namespace krg::kddm_sim {

class MemberCluster final : public Cluster {
 public:
  MemberCluster(const sim::WorldOptions& options, Recorder& recorder, Begin begin,
                std::uint64_t room);

  bool begin() override;
  bool may_lose(const std::vector<std::uint32_t>& nodes) override;
  bool may_leave(std::uint32_t index) override;
  void kill(std::uint32_t index) override;
  void restart(std::uint32_t index) override;
  void give_up(const std::vector<std::uint32_t>&) override {}  // They do that by themselves.
  void leave(std::uint32_t index) override;
  bool mended() override;

 private:
  class Witness;

  bool view_comes() const override { return false; }
  Node& new_life(std::uint32_t index);
  void committed(Node& node, const cluster::ViewChange& change);
  void ended(std::uint32_t index, LifeId life);
  void fail(std::vector<LifeId> lives);
  LifeId life_of(const cluster::Member& member) const;
  bool runs(std::uint32_t index);
  Node* leader();
  bool quorum_without(const std::vector<std::uint32_t>& nodes);
  Co<void> join(Node& node, std::vector<cluster::Member> contacts);
  Co<void> drain(Node& node);

  hotplug::Options options_;
  std::map<std::pair<NodeId, Incarnation>, LifeId> lives_;
  std::set<LifeId> failed_;
  std::vector<bool> host_dead_;
  std::uint32_t leaver_ = 0;  // The last that was asked to leave.
  unsigned leaving_ = 0;      // That have been asked to, and it has not ended.
};

}  // namespace krg::kddm_sim

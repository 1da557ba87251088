// Views from an oracle that knows who has died, and gives them to the nodes at different times. A
// node that is to be excluded may not serve any more before the view without it begins anywhere.
#pragma once

#include "cluster.h"

namespace krg::kddm_sim {

class OracleCluster final : public Cluster {
 public:
  OracleCluster(const sim::WorldOptions& options, Recorder& recorder, Begin begin,
                std::uint64_t room);

  bool begin() override;
  bool may_lose(const std::vector<std::uint32_t>& nodes) override;
  bool may_leave(std::uint32_t) override { return false; }
  void kill(std::uint32_t index) override;
  void restart(std::uint32_t index) override;
  void give_up(const std::vector<std::uint32_t>& nodes) override;
  void leave(std::uint32_t) override {}
  bool mended() override;

 private:
  bool view_comes() const override { return coming_ > 0; }
  bool healthy(std::uint32_t index);
  void next_view(const cluster::NodeSet& members);
  void next_view_without(const cluster::NodeSet& gone, Duration after);
  void give_view(std::uint32_t index, const cluster::View& view);
  void exclude(const std::vector<std::uint32_t>& nodes);

  std::vector<TimePoint> view_due_;  // The last view that a node is given, and when.
  std::uint32_t epoch_ = 0;
  unsigned coming_ = 0;  // Views that are about to be made.
};

}  // namespace krg::kddm_sim

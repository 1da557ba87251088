// Some nodes with a Kddm each, and who decides which of them are in the cluster: an oracle that
// knows who has died, and gives the views to the nodes at different times. A node that is to be
// excluded may not serve any more before the view without it begins anywhere.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <string>
#include <vector>

#include "krg/sim/world.h"
#include "node.h"
#include "recorder.h"

namespace krg::kddm_sim {

class Cluster {
 public:
  // Called for every life that begins, when it has its first view.
  using Begin = std::function<void(Node&)>;

  Cluster(const sim::WorldOptions& options, Recorder& recorder, Begin begin);
  ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  sim::World& world() noexcept { return world_; }
  std::uint32_t size() const noexcept { return world_.size(); }
  // nullptr: dead.
  Node* node(std::uint32_t index) noexcept { return nodes_[index].get(); }
  bool is_member(std::uint32_t index) const noexcept;
  bool stopped(std::uint32_t index) const noexcept { return stopped_[index].has_value(); }
  std::size_t members() const noexcept { return view_.size(); }
  // Members that run, and may go on being members.
  std::vector<std::uint32_t> healthy() const;
  // Whether the view has begun everywhere and every object is put together again.
  bool settled();

  // Called every now and then while time passes.
  void on_look(std::function<void()> look) { look_ = std::move(look); }
  // Lets time pass.
  void run_for(Duration time);
  bool run_until(const std::function<bool()>& condition, Duration limit);
  // Does `what` after so long.
  void later(Duration after, std::function<void()> what);

  // --- Misfortune
  // Dies; the oracle knows of it after `noticed`.
  void kill(std::uint32_t index, Duration noticed);
  // A new life, which joins by the next view. Requires  dead, and no member.
  void restart(std::uint32_t index);
  void stop(std::uint32_t index);
  void resume(std::uint32_t index);
  // Its leases end now; the others go on without it a little later.
  void exclude(const std::vector<std::uint32_t>& nodes);
  void cut(std::uint32_t a, std::uint32_t b) { world_.cut(NodeId{a}, NodeId{b}); }
  void mend(std::uint32_t a, std::uint32_t b) { world_.mend(NodeId{a}, NodeId{b}); }

 private:
  struct Event {
    TimePoint at;
    std::uint64_t number = 0;
    std::shared_ptr<std::function<void()>> what;
    bool operator<(const Event& other) const noexcept {  // The earliest on top.
      return at != other.at ? other.at < at : other.number < number;
    }
  };

  void begin_life(std::uint32_t index);
  void next_view(const cluster::NodeSet& members);
  void next_view_without(const cluster::NodeSet& gone, Duration after);
  void give_view(std::uint32_t index, const cluster::View& view);
  void look_for_rest();
  bool rebuilding(const Node& node) const;
  void fire_events();
  Duration up_to(Duration most);

  Recorder& recorder_;
  const Begin begin_;
  std::function<void()> look_;
  sim::World world_;
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::uint32_t> lives_;
  std::vector<std::optional<TimePoint>> stopped_;
  std::vector<TimePoint> view_due_;  // The last view that a node is given, and when.
  std::vector<bool> excluded_;
  cluster::NodeSet view_;
  std::uint32_t epoch_ = 0;
  unsigned coming_ = 0;    // Views that the oracle is about to make.
  unsigned entering_ = 0;  // The recorder's number of the view that not all have entered.
  std::priority_queue<Event> events_;
  std::uint64_t event_number_ = 0;
};

}  // namespace krg::kddm_sim

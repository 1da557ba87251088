// Some nodes with a Kddm each, in a simulated world, and the misfortunes that they meet. Who
// decides which of them are in the cluster is a subclass: OracleCluster or MemberCluster.
#pragma once

#include <algorithm>
#include <functional>
#include <memory>
#include <optional>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "krg/sim/world.h"
#include "node.h"
#include "recorder.h"

namespace krg::kddm_sim {

// Called for every life that begins, when it has its first view.
using Begin = std::function<void(Node&)>;

class Cluster {
 public:
  virtual ~Cluster();
  Cluster(const Cluster&) = delete;
  Cluster& operator=(const Cluster&) = delete;

  sim::World& world() noexcept { return world_; }
  std::uint32_t size() const noexcept { return world_.size(); }
  // nullptr: dead.
  Node* node(std::uint32_t index) noexcept { return nodes_[index].get(); }
  bool stopped(std::uint32_t index) const noexcept { return stopped_[index].has_value(); }
  // Whether a node of that number is in the newest view, be it dead.
  bool is_member(std::uint32_t index) const noexcept { return view_.contains(NodeId{index}); }
  std::size_t members() const noexcept { return view_.members.size(); }
  // Whether the view has begun everywhere and every object is put together again.
  bool settled();
  // What each node is at, for a report.
  std::string describe() const;
  // Whether something was not as it has to be, whatever clients have seen.
  const std::string& complaint() const noexcept { return complaint_; }

  Epoch epoch() const noexcept { return view_.epoch; }
  // Whether nothing is to happen later.
  bool quiet() const noexcept { return events_.empty(); }

  // Copies that went to another node for want of room.
  std::uint64_t moved() const noexcept;
  // Called every now and then while time passes.
  void on_look(std::function<void()> look) { look_ = std::move(look); }
  void run_for(Duration time);
  bool run_until(const std::function<bool()>& condition, Duration limit);
  // Does `what` after so long.
  void later(Duration after, std::function<void()> what);
  Duration up_to(Duration most);

  // Until all nodes are in one view, and may serve.
  virtual bool begin() = 0;
  // Whether the others can go on and lose nothing but what is theirs, should `nodes` fail now.
  virtual bool may_lose(const std::vector<std::uint32_t>& nodes) = 0;
  virtual bool may_leave(std::uint32_t index) = 0;

  // --- Misfortune. kill(): Requires  alive.
  virtual void kill(std::uint32_t index) = 0;
  // A new life, which joins. Requires  dead.
  virtual void restart(std::uint32_t index) = 0;
  // The others go on without them, if they do not anyway; they may still run.
  virtual void give_up(const std::vector<std::uint32_t>& nodes) = 0;
  // Gives what it has to others, and goes. Requires  alive.
  virtual void leave(std::uint32_t index) = 0;
  // Brings nodes back that are not in the view. True: all are, and serve.
  virtual bool mended() = 0;
  void stop(std::uint32_t index);
  void resume(std::uint32_t index);
  void cut(std::uint32_t a, std::uint32_t b);
  void mend(std::uint32_t a, std::uint32_t b);
  bool is_cut(std::uint32_t a, std::uint32_t b) const { return cuts_.contains(std::minmax(a, b)); }

 protected:
  // `room`: what the copies of a node may take; 0: whatever they want.
  Cluster(const sim::WorldOptions& options, Recorder& recorder, Begin begin, std::uint64_t room);

  Recorder& recorder() noexcept { return recorder_; }
  // A node's next life.
  Node& begin_life(std::uint32_t index);
  void end_life(std::uint32_t index);
  bool same_life(std::uint32_t index, LifeId life) const noexcept {
    return nodes_[index] != nullptr && nodes_[index]->life == life;
  }
  cluster::Member member(std::uint32_t index) const;
  // A view that has begun somewhere, the newest.
  const cluster::View& view() const noexcept { return view_; }
  void view_begins(const cluster::View& view);
  // Clients of that node may begin.
  void populate(Node& node) {
    if (begin_) begin_(node);
  }
  // Whether a next view is known to come.
  virtual bool view_comes() const = 0;
  void complain(std::string what) {
    if (complaint_.empty()) complaint_ = std::move(what);
  }

 private:
  struct Event {
    TimePoint at;
    std::uint64_t number = 0;
    std::shared_ptr<std::function<void()>> what;
    bool operator<(const Event& other) const noexcept {  // The earliest on top.
      return at != other.at ? other.at < at : other.number < number;
    }
  };

  void look_for_rest();
  void fire_events();

  Recorder& recorder_;
  const Begin begin_;
  std::function<void()> look_;
  sim::World world_;
  const std::uint64_t room_;
  std::uint64_t moved_ = 0;  // By lives that have ended.
  std::vector<std::unique_ptr<Node>> nodes_;
  std::vector<std::uint32_t> lives_;
  std::vector<std::optional<TimePoint>> stopped_;
  std::set<std::pair<std::uint32_t, std::uint32_t>> cuts_;
  cluster::View view_;
  unsigned entering_ = 0;  // The recorder's number of the view that not all have entered.
  std::priority_queue<Event> events_;
  std::uint64_t event_number_ = 0;
  std::string complaint_;
};

}  // namespace krg::kddm_sim

// A cluster of membership cores in virtual time, with clocks that drift and a network that fails,
// and the rules that must hold at every instant.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <queue>
#include <set>
#include <string>
#include <vector>

#include "krg/hotplug/core.h"
#include "krg/sim/random.h"

namespace krg::testing {

struct HotplugWorldOptions {
  std::uint64_t seed = 1;
  std::uint32_t nodes = 5;  // Of the first view.
  std::uint32_t spare = 0;  // That may join.
  hotplug::Options core{};
  bool clocks_drift = true;
  // Listeners: of a thousand prepares so many fail, and so many never answer.
  unsigned refuse_per_mille = 0, hang_per_mille = 0;
  Duration prepare_max = std::chrono::milliseconds(50);
};

class HotplugWorld {
 public:
  explicit HotplugWorld(const HotplugWorldOptions& options);
  ~HotplugWorld();

  TimePoint now() const noexcept { return now_; }
  sim::Random& random() noexcept { return random_; }
  std::uint32_t size() const noexcept { return static_cast<std::uint32_t>(nodes_.size()); }
  void run_for(Duration time);
  bool run_until(const std::function<bool()>& condition, Duration limit);

  // The process ends; with_host: the machine too, so that nothing says so.
  void kill(std::uint32_t node, bool with_host);
  // A new life asks to join. Requires  the node is down or over.
  void start(std::uint32_t node);
  void stop(std::uint32_t node) { nodes_[node].stopped = true; }
  void resume(std::uint32_t node);
  // Nodes of different groups do not hear each other.
  void partition(std::vector<unsigned> groups) { groups_ = std::move(groups); }
  void heal() { groups_.assign(nodes_.size(), 0); }
  void set_loss(unsigned per_mille) noexcept { loss_per_mille_ = per_mille; }
  void set_slow(unsigned per_mille) noexcept { slow_per_mille_ = per_mille; }
  void leave(std::uint32_t asker, std::uint32_t leaver);
  void false_alarm(std::uint32_t at, std::uint32_t about);

  bool alive(std::uint32_t node) const noexcept { return nodes_[node].core != nullptr; }
  bool stopped(std::uint32_t node) const noexcept { return nodes_[node].stopped; }
  bool over(std::uint32_t node) const noexcept { return nodes_[node].over; }
  Errc why_over(std::uint32_t node) const noexcept { return nodes_[node].why; }
  bool serves(std::uint32_t node) const;
  const hotplug::Core& core(std::uint32_t node) const { return *nodes_[node].core; }
  const hotplug::Roster& newest() const noexcept { return newest_; }
  // Whether every configuration of voters that a running node knows keeps its majority without
  // `node`.
  bool quorum_without(std::uint32_t node) const;
  bool voters_change() const;
  bool may_lose(std::uint32_t node) const;
  std::uint32_t coordinator() const;  // size(): none.
  // All that run serve, in one view that has them all.
  bool settled() const;
  std::size_t unfinished_leaves() const;
  std::uint64_t installs(std::uint32_t node) const noexcept { return nodes_[node].installs; }
  std::uint64_t aborts(std::uint32_t node) const noexcept { return nodes_[node].aborts; }
  Errc last_leave() const noexcept { return last_leave_; }

  // What was broken, if anything; the first one only.
  const std::string& violation() const noexcept { return violation_; }
  std::uint64_t trace() const noexcept { return trace_; }
  std::string describe() const;

 private:
  class Node;
  struct Slot {
    std::unique_ptr<hotplug::Core> core;
    std::unique_ptr<Node> node;
    std::uint32_t incarnation = 0;
    std::uint64_t life = 0;
    bool stopped = false, over = false, host_dead = false;
    Errc why = Errc::ok;
    // Local time is offset + real time * (1e6 + ppm) / 1e6.
    std::int64_t ppm = 0, offset_ns = 0;
    TimePoint armed{Duration::max()};
    std::vector<std::function<void()>> waiting;
    std::set<hotplug::Peer> leaves;
    std::uint64_t preparing = 0, installs = 0, aborts = 0;
  };
  struct Event {
    TimePoint at;
    std::uint64_t number = 0;
    std::shared_ptr<std::function<void()>> what;
    bool operator<(const Event& other) const noexcept {
      return at != other.at ? other.at < at : other.number < number;
    }
  };

  void post(Duration after, std::function<void()> what);
  // Runs `what` at the node if that life is there, now or when it is resumed.
  void at_node(std::uint32_t node, std::uint64_t life, const std::function<void()>& what);
  void arm(std::uint32_t node);
  TimePoint local(const Slot& slot) const;
  TimePoint real(const Slot& slot, TimePoint at) const;
  Duration latency();
  bool reaches(std::uint32_t from, std::uint32_t to);
  cluster::Member member(std::uint32_t node) const;
  void make_core(std::uint32_t node);
  void check(std::uint32_t node);
  void check_all();
  void installed(std::uint32_t node, const cluster::View& view);
  void fail(const std::string& what);
  void note(std::uint64_t word) noexcept { trace_ = (trace_ ^ word) * 0x100000001b3u; }

  const HotplugWorldOptions options_;
  sim::Random random_;
  TimePoint now_{};
  std::uint64_t number_ = 0, trace_ = 0xcbf29ce484222325u;
  std::priority_queue<Event> events_;
  std::vector<Slot> nodes_;
  std::vector<unsigned> groups_;
  unsigned loss_per_mille_ = 0, slow_per_mille_ = 0;
  hotplug::Roster newest_;
  std::map<Epoch, cluster::View> views_;
  Errc last_leave_ = Errc::ok;
  std::string violation_;
};

}  // namespace krg::testing

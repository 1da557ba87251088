#include "scenario.h"

#include <fmt/format.h>

#include <array>
#include <optional>
#include <set>
#include <vector>

#include "client.h"
#include "cluster.h"
#include "krg/reactor/frame_pool.h"
#include "lease_check.h"
#include "linearize.h"
#include "rest_check.h"

namespace krg::kddm_sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kClients = 2;  // Of each node.
constexpr Duration kQuiet = seconds(20);

sim::WorldOptions world_options(const Scenario& scenario, sim::Random& random) {
  sim::WorldOptions options;
  options.seed = scenario.seed;
  const auto some = static_cast<std::uint32_t>(random.between(3, 5));
  options.nodes = scenario.nodes != 0 ? scenario.nodes : some;
  options.link_timeout = milliseconds(random.between(5, 60));
  options.detect_max = milliseconds(random.between(3, 100));
  return options;
}

Co<void> keep(Co<Result<kddm::SetId>> making, std::optional<Result<kddm::SetId>>& made) {
  made.emplace(co_await std::move(making));
}

class Run {
 public:
  explicit Run(const Scenario& scenario)
      : faults_(scenario.faults),
        plan_(scenario.seed ^ 0x6b72675f73696d00u),
        work_{.recorder = recorder_, .random = sim::Random(plan_.next())},
        cluster_(world_options(scenario, plan_), recorder_,
                 [this](Node& node) { populate(node); }) {
    cluster_.on_look([this] { look_at_requests(); });
  }

  Report go();

 private:
  sim::Random& random() { return cluster_.world().random(); }
  bool good() const { return work_.complaint.empty(); }
  Duration up_to(Duration most) {
    return Duration(
        static_cast<Duration::rep>(random().below(static_cast<std::uint64_t>(most.count()) + 1)));
  }
  std::uint32_t any_node() { return static_cast<std::uint32_t>(random().below(cluster_.size())); }

  void populate(Node& node);
  void look_at_requests();
  bool make_sets();
  SetPlan plan_set();
  void misfortune();
  bool may_lose(std::size_t count);
  void crash();
  void restart();
  void partition();
  void pause();
  void slow();
  void retire(std::uint32_t index);
  void repair();
  void come_to_rest();
  void look_at_rest();
  void read_everywhere();
  void judge();

  const unsigned faults_;
  sim::Random plan_;
  Recorder recorder_;
  Work work_;
  Cluster cluster_;
  bool working_ = false;
  bool split_ = false;
  std::uint64_t failures_ = 0;
  std::uint64_t undecided_ = 0;
};

void Run::populate(Node& node) {
  if (!working_ || work_.stopping) return;
  for (int i = 0; i < kClients; ++i) node.reactor().spawn(use_objects(node, work_));
}

// Sees which operations of unknown outcome can have no effect any more.
void Run::look_at_requests() {
  bool any = false;
  for (std::size_t object = 0; object < recorder_.objects(); ++object) {
    any = any || recorder_.any_unknown(object);
  }
  for (std::uint32_t i = 0; any && i < cluster_.size(); ++i) {
    const Node* const node = cluster_.node(i);
    if (node == nullptr) continue;
    std::set<std::pair<kddm::SetId, std::uint64_t>> asking;
    for (const kddm::ObjectState& part : node->kddm.dump()) {
      if (part.holder.asks != kddm::Asks::nothing) asking.emplace(part.set, part.object.value);
    }
    for (const SetPlan& set : work_.sets) {
      for (std::uint64_t index = 0; index < set.objects; ++index) {
        const std::size_t object = set.first + index;
        if (!recorder_.any_unknown(object) || asking.contains({set.id, index})) continue;
        recorder_.nothing_under_way(object, node->life);
      }
    }
  }
}

SetPlan Run::plan_set() {
  static constexpr std::array<std::uint64_t, 6> kSizes = {0, 8, 8, 4096, 4096, 100'000};
  static constexpr std::array<kddm::HomePolicy, 3> kPolicies = {
      kddm::HomePolicy::hash, kddm::HomePolicy::fixed, kddm::HomePolicy::round_robin};
  SetPlan set;
  set.options.object_bytes = kSizes[plan_.below(kSizes.size())];
  set.options.copies = static_cast<std::uint8_t>(plan_.between(1, 3));
  set.options.policy = kPolicies[plan_.below(kPolicies.size())];
  set.options.home = NodeId{static_cast<std::uint32_t>(plan_.below(cluster_.size()))};
  set.options.nodes = cluster::NodeSet::first(cluster_.size());
  if (plan_.chance(200)) {
    set.options.flags = static_cast<std::uint32_t>(kddm::SetFlag::touch_at_home);
  }
  set.objects = plan_.between(1, 2);
  return set;
}

bool Run::make_sets() {
  const std::uint64_t count = plan_.between(2, 3);
  for (std::uint64_t i = 0; i < count; ++i) {
    SetPlan set = plan_set();
    std::optional<Result<kddm::SetId>> made;
    Node& node = *cluster_.node(0);
    const Deadline soon(cluster_.world().now() + seconds(5));
    node.reactor().spawn(keep(node.kddm.create(set.options, soon), made));
    cluster_.world().wake(node.id);
    if (!cluster_.run_until([&] { return made.has_value(); }, seconds(10)) || !*made) {
      work_.complain("a set can not be made");
      return false;
    }
    set.id = **made;
    for (std::uint64_t object = 0; object < set.objects; ++object) {
      const std::size_t number =
          recorder_.add_object(set.options.copies, set.options.has(kddm::SetFlag::touch_at_home));
      if (object == 0) set.first = number;
    }
    work_.sets.push_back(std::move(set));
  }
  return true;
}

// --- Misfortune ---------------------------------------------------------------------------------

void Run::misfortune() {
  std::array<void (Run::*)(), 5> all{};
  std::size_t count = 0;
  if ((faults_ & kCrash) != 0) all[count++] = &Run::crash;
  if ((faults_ & kPartition) != 0) all[count++] = &Run::partition;
  if ((faults_ & kPause) != 0) all[count++] = &Run::pause;
  if ((faults_ & kSlow) != 0) all[count++] = &Run::slow;
  if (count == 0) return;
  all[count++] = &Run::restart;
  (this->*all[random().below(count)])();
}

// Two must be left, and failures mostly come one after the other.
bool Run::may_lose(std::size_t count) {
  if (cluster_.healthy().size() < count + 2) return false;
  return cluster_.settled() || random().chance(150);
}

void Run::crash() {
  const std::uint32_t index = any_node();
  if (cluster_.node(index) == nullptr) return;
  if (!cluster_.is_member(index)) return cluster_.kill(index, {});
  if (!may_lose(1)) return;
  ++failures_;
  cluster_.kill(index, up_to(milliseconds(30)));
}

void Run::restart() {
  const std::uint32_t index = any_node();
  if (cluster_.node(index) == nullptr && !cluster_.is_member(index)) cluster_.restart(index);
}

// A life that others went on without learns of it, and ends.
void Run::retire(std::uint32_t index) {
  const LifeId life = cluster_.node(index)->life;
  cluster_.later(up_to(milliseconds(100)), [this, index, life] {
    const Node* const node = cluster_.node(index);
    if (node != nullptr && node->life == life) cluster_.kill(index, {});
  });
}

void Run::partition() {
  if (split_) return;
  std::vector<std::uint32_t> away;
  for (std::uint32_t i = 0; i < cluster_.size(); ++i) {
    if (random().chance(300)) away.push_back(i);
  }
  if (away.empty() || away.size() * 2 >= cluster_.size()) return;
  split_ = true;
  auto each_link = [this, away](void (Cluster::*what)(std::uint32_t, std::uint32_t)) {
    for (const std::uint32_t a : away) {
      for (std::uint32_t b = 0; b < cluster_.size(); ++b) {
        if (std::find(away.begin(), away.end(), b) == away.end()) (cluster_.*what)(a, b);
      }
    }
  };
  each_link(&Cluster::cut);
  const bool for_good = random().chance(500);
  const Duration until =
      for_good ? milliseconds(20) + up_to(milliseconds(80)) : up_to(milliseconds(40));
  cluster_.later(until, [this, each_link, away, for_good] {
    if (for_good && may_lose(away.size())) {
      failures_ += away.size();
      for (const std::uint32_t index : away) {
        if (cluster_.node(index) != nullptr && cluster_.is_member(index)) retire(index);
      }
      cluster_.exclude(away);
    }
    cluster_.later(up_to(milliseconds(60)), [this, each_link] {
      each_link(&Cluster::mend);
      split_ = false;
    });
  });
}

void Run::pause() {
  const std::uint32_t index = any_node();
  Node* const node = cluster_.node(index);
  if (node == nullptr || cluster_.stopped(index)) return;
  const LifeId life = node->life;
  cluster_.stop(index);
  const auto same = [this, index, life] {
    return cluster_.node(index) != nullptr && cluster_.node(index)->life == life;
  };
  if (random().chance(400)) {
    cluster_.later(milliseconds(10) + up_to(milliseconds(50)), [this, index, same] {
      // It is not counted as healthy while it is stopped.
      if (!same() || !cluster_.is_member(index) || !may_lose(0)) return;
      ++failures_;
      cluster_.exclude({index});
      retire(index);
    });
  }
  cluster_.later(up_to(milliseconds(90)), [this, index, same] {
    if (same()) cluster_.resume(index);
  });
}

void Run::slow() {
  const NodeId from{any_node()};
  const NodeId to{any_node()};
  sim::Latency latency;
  if (random().chance(600)) {
    latency.min = microseconds(random().below(3000));
    latency.max = latency.min + up_to(milliseconds(5));
  }
  cluster_.world().set_latency(from, to, latency);
}

// --- The end ------------------------------------------------------------------------------------

void Run::repair() {
  for (std::uint32_t a = 0; a < cluster_.size(); ++a) {
    cluster_.resume(a);
    for (std::uint32_t b = 0; b < cluster_.size(); ++b) {
      if (a == b) continue;
      cluster_.mend(a, b);
      cluster_.world().set_latency(NodeId{a}, NodeId{b}, {});
    }
  }
}

void Run::come_to_rest() {
  cluster_.run_for(milliseconds(250));  // What was to happen later has happened.
  repair();
  work_.stopping = true;
  if (!cluster_.run_until([&] { return work_.clients == 0; }, kQuiet)) {
    return work_.complain(fmt::format("{} clients wait for ever", work_.clients));
  }
  const bool all = cluster_.run_until(
      [&] {
        for (std::uint32_t i = 0; i < cluster_.size(); ++i) {
          Node* const node = cluster_.node(i);
          if (node != nullptr && !node->serves) cluster_.kill(i, {});
          if (cluster_.node(i) == nullptr && !cluster_.is_member(i)) cluster_.restart(i);
        }
        return cluster_.members() == cluster_.size() && cluster_.settled();
      },
      kQuiet);
  if (!all) return work_.complain("the nodes do not come to rest");
  // Before everybody has a copy, and after.
  look_at_rest();
  if (good()) read_everywhere();
  if (good()) look_at_rest();
}

void Run::look_at_rest() {
  cluster_.run_for(seconds(2));
  // A connection that was asked for while its peer still held the one before is given up after 5 s
  // only; what waits for it is at rest then.
  cluster_.run_until([this] { return check_rest(cluster_, work_).empty(); }, kQuiet);
  if (std::string wrong = check_rest(cluster_, work_); !wrong.empty()) {
    work_.complain(std::move(wrong));
  }
}

void Run::read_everywhere() {
  std::size_t objects = 0;
  for (const SetPlan& set : work_.sets) objects += set.objects;
  std::vector<Value> first;
  for (std::uint32_t i = 0; i < cluster_.size() && good(); ++i) {
    std::vector<Value> seen(objects, kAbsent);
    Node& node = *cluster_.node(i);
    node.reactor().spawn(read_all(node, work_, seen));
    cluster_.world().wake(node.id);
    cluster_.run_for(microseconds(1));
    if (!cluster_.run_until([&] { return work_.clients == 0; }, kQuiet)) {
      return work_.complain(fmt::format("node {} can not read what there is", i));
    }
    if (i == 0) first = seen;
    for (std::size_t object = 0; object < objects; ++object) {
      if (first[object] == kNotTold) first[object] = seen[object];
      if (seen[object] == first[object] || seen[object] == kNotTold) continue;
      work_.complain(fmt::format("at rest, node 0 sees {} where node {} sees {}",
                                 describe(first[object]), i, describe(seen[object])));
    }
  }
}

void Run::judge() {
  std::size_t number = 0;
  for (const History& history : recorder_.histories()) {
    const std::string name = fmt::format("object number {}, copies {}: ", number++, history.copies);
    if (std::string wrong = check_leases(history); !wrong.empty()) {
      return work_.complain(name + wrong);
    }
    const Judgement judgement = linearize(history);
    if (judgement.verdict == Verdict::wrong) return work_.complain(name + judgement.text);
    if (judgement.verdict == Verdict::undecided) ++undecided_;
  }
}

Report Run::go() {
  cluster_.run_for(milliseconds(30));
  if (make_sets()) {
    working_ = true;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i) populate(*cluster_.node(i));
    const std::uint64_t steps = plan_.between(10, 30);
    for (std::uint64_t step = 0; step < steps && good(); ++step) {
      cluster_.run_for(up_to(milliseconds(25)));
      misfortune();
    }
    if (good()) come_to_rest();
    if (good()) judge();
  }
  return {work_.complaint, cluster_.world().trace(), recorder_.ops(), work_.done, failures_,
          undecided_};
}

}  // namespace

Report run(const Scenario& scenario) {
  const std::size_t frames = reactor::frames_in_use();
  Report report;
  {
    Run run(scenario);
    report = run.go();
  }
  if (report.violation.empty() && reactor::frames_in_use() != frames) {
    report.violation = "coroutine frames are left";
  }
  return report;
}

}  // namespace krg::kddm_sim

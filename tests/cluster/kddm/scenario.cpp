#include "scenario.h"

#include <fmt/format.h>

#include <array>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "client.h"
#include "krg/reactor/frame_pool.h"
#include "lease_check.h"
#include "linearize.h"
#include "member_cluster.h"
#include "oracle.h"
#include "rest_check.h"

namespace krg::kddm_sim {
namespace {

using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr int kClients = 2;  // Of each node.
// Nothing may take longer once all is mended: an operation ends within its deadline, and channels
// ask again after half a second at the latest.
constexpr Duration kQuiet = seconds(3);
// All nodes are members again: three rounds of a leave may have to fail before.
constexpr Duration kMended = seconds(20);

// How long misfortunes last, and how far they are apart. An oracle knows of them at once.
struct Pace {
  std::uint64_t steps_min, steps_max;
  Duration gap;                 // Between two misfortunes, at most.
  Duration blink;               // Of a short cut or stop, at most.
  Duration long_min, long_max;  // Of one that others may go on without.
  std::uint64_t link_timeout_ms;
  Duration calm;  // Clients' pause while nothing happens.
};
constexpr Pace kOracle{10,
                       30,
                       milliseconds(25),
                       milliseconds(40),
                       milliseconds(20),
                       milliseconds(100),
                       60,
                       microseconds(500)};
constexpr Pace kHotplug{8,
                        16,
                        milliseconds(200),
                        milliseconds(150),
                        milliseconds(400),
                        milliseconds(1200),
                        300,
                        milliseconds(40)};
// So long after a misfortune, or the beginning of a view, clients are busy.
constexpr Duration kBusy = milliseconds(20);

const Pace& pace_of(Views views) { return views == Views::oracle ? kOracle : kHotplug; }

sim::WorldOptions world_options(const Scenario& scenario, sim::Random& random) {
  sim::WorldOptions options;
  options.seed = scenario.seed;
  const auto some = static_cast<std::uint32_t>(random.between(3, 5));
  options.nodes = scenario.nodes != 0 ? scenario.nodes : some;
  options.link_timeout = milliseconds(random.between(5, pace_of(scenario.views).link_timeout_ms));
  options.detect_max = milliseconds(random.between(3, 100));
  if (random.chance(200)) options.datagram_loss_per_mille = 10;
  return options;
}

std::unique_ptr<Cluster> make_cluster(const Scenario& scenario, sim::Random& random,
                                      Recorder& recorder, Begin begin) {
  const sim::WorldOptions options = world_options(scenario, random);
  if (scenario.views == Views::oracle) {
    return std::make_unique<OracleCluster>(options, recorder, std::move(begin), scenario.room);
  }
  return std::make_unique<MemberCluster>(options, recorder, std::move(begin), scenario.room);
}

Co<void> keep(Co<Result<kddm::SetId>> making, std::optional<Result<kddm::SetId>>& made) {
  made.emplace(co_await std::move(making));
}

class Run {
 public:
  explicit Run(const Scenario& scenario)
      : faults_(scenario.faults),
        room_(scenario.room),
        plan_(scenario.seed ^ 0x6b72675f73696d00u),
        work_{.recorder = recorder_, .random = sim::Random(plan_.next())},
        pace_(pace_of(scenario.views)),
        owner_(make_cluster(scenario, plan_, recorder_, [this](Node& node) { populate(node); })),
        cluster_(*owner_) {
    recorder_.copies_move(room_ != 0);
    cluster_.on_look([this] { look(); });
  }

  Report go();

 private:
  sim::Random& random() { return cluster_.world().random(); }
  bool good() const { return work_.complaint.empty(); }
  Duration up_to(Duration most) { return cluster_.up_to(most); }
  bool lasts() { return random().chance(450); }
  // Of a cut or a stop.
  Duration how_long(bool lasts) {
    return lasts ? pace_.long_min + up_to(pace_.long_max - pace_.long_min) : up_to(pace_.blink);
  }
  std::uint32_t any_node() { return static_cast<std::uint32_t>(random().below(cluster_.size())); }

  void populate(Node& node);
  void look();
  void look_at_requests();
  bool make_sets();
  SetPlan plan_set();
  void misfortune();
  void crash();
  void restart();
  void partition();
  void pause();
  void slow();
  void leave();
  void repair();
  void come_to_rest();
  void look_at_rest();
  void read_everywhere();
  void judge();

  const unsigned faults_;
  const std::uint64_t room_;
  sim::Random plan_;
  Recorder recorder_;
  Work work_;
  const Pace& pace_;
  const std::unique_ptr<Cluster> owner_;
  Cluster& cluster_;
  TimePoint busy_until_{};
  Epoch epoch_;
  bool working_ = false;
  bool split_ = false;
  std::uint64_t undecided_ = 0;
};

void Run::populate(Node& node) {
  if (!working_ || work_.stopping) return;
  for (int i = 0; i < kClients; ++i) node.reactor().spawn(use_objects(node, work_));
}

void Run::look() {
  if (!cluster_.complaint().empty()) work_.complain(cluster_.complaint());
  const TimePoint now = cluster_.world().now();
  if (cluster_.epoch() != epoch_) busy_until_ = now + kBusy;
  epoch_ = cluster_.epoch();
  work_.pause = now < busy_until_ ? microseconds(500) : pace_.calm;
  look_at_requests();
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
  // The largest is several times what a batch or a bundle takes, and seldom: it costs the most.
  static constexpr std::array<std::uint64_t, 6> kSizes = {0, 8, 8, 4096, 4096, 20'000};
  static constexpr std::array<kddm::HomePolicy, 4> kPolicies = {
      kddm::HomePolicy::hash, kddm::HomePolicy::fixed, kddm::HomePolicy::round_robin,
      kddm::HomePolicy::linker};
  SetPlan set;
  set.options.object_bytes = kSizes[plan_.below(kSizes.size())];
  if (plan_.chance(30)) set.options.object_bytes = 100'000;
  if (room_ != 0) set.options.object_bytes = room_ / 4;
  set.options.variable_size = set.options.object_bytes > 8 && plan_.chance(300);
  set.options.copies = static_cast<std::uint8_t>(plan_.between(1, 3));
  set.options.policy = kPolicies[plan_.below(kPolicies.size())];
  set.options.home = NodeId{static_cast<std::uint32_t>(plan_.below(cluster_.size()))};
  if (set.options.policy == kddm::HomePolicy::linker) set.options.linker = "sites";
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
  std::array<void (Run::*)(), 6> all{};
  std::size_t count = 0;
  if ((faults_ & kCrash) != 0) all[count++] = &Run::crash;
  if ((faults_ & kPartition) != 0) all[count++] = &Run::partition;
  if ((faults_ & kPause) != 0) all[count++] = &Run::pause;
  if ((faults_ & kSlow) != 0) all[count++] = &Run::slow;
  if ((faults_ & kLeave) != 0) all[count++] = &Run::leave;
  if (count == 0) return;
  all[count++] = &Run::restart;
  busy_until_ = cluster_.world().now() + kBusy;
  (this->*all[random().below(count)])();
}

void Run::crash() {
  const std::uint32_t index = any_node();
  if (cluster_.node(index) == nullptr) return;
  if (cluster_.is_member(index) && !cluster_.may_lose({index})) return;
  cluster_.kill(index);
}

void Run::restart() {
  const std::uint32_t index = any_node();
  if (cluster_.node(index) == nullptr) cluster_.restart(index);
}

void Run::leave() {
  const std::uint32_t index = any_node();
  if (cluster_.may_leave(index)) cluster_.leave(index);
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
  const bool for_good = lasts();
  cluster_.later(how_long(for_good), [this, each_link, away, for_good] {
    if (for_good) cluster_.give_up(away);
    cluster_.later(up_to(milliseconds(60)), [this, each_link] {
      each_link(&Cluster::mend);
      split_ = false;
      busy_until_ = cluster_.world().now() + kBusy;
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
  const bool for_good = lasts();
  cluster_.later(how_long(for_good), [this, index, same, for_good] {
    // It is not counted as healthy while it is stopped.
    if (for_good && same() && cluster_.is_member(index)) cluster_.give_up({index});
    cluster_.later(up_to(milliseconds(40)), [this, index, same] {
      if (same()) cluster_.resume(index);
      busy_until_ = cluster_.world().now() + kBusy;
    });
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
  // What was to happen later has happened.
  cluster_.run_until([this] { return cluster_.quiet(); }, seconds(10));
  repair();
  work_.stopping = true;
  if (!cluster_.run_until([&] { return work_.clients == 0; }, kQuiet)) {
    return work_.complain(fmt::format("{} clients wait for ever", work_.clients));
  }
  if (!cluster_.run_until([this] { return cluster_.mended(); }, kMended)) {
    return work_.complain("the nodes do not come to rest" + cluster_.describe());
  }
  // Before everybody has a copy, and after.
  look_at_rest();
  if (good()) read_everywhere();
  if (good()) look_at_rest();
}

// Rest comes, and comes again: a channel may still ask whether its last message has arrived.
void Run::look_at_rest() {
  std::string wrong;
  const auto rests = [&] { return (wrong = check_rest(cluster_, work_)).empty(); };
  bool good = cluster_.run_until(rests, kQuiet);
  if (good) {
    cluster_.run_for(milliseconds(50));
    good = cluster_.run_until(rests, kQuiet);
  }
  if (!good) work_.complain(std::move(wrong));
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
  if (!cluster_.begin()) {
    work_.complain("the nodes do not begin");
  } else if (make_sets()) {
    working_ = true;
    for (std::uint32_t i = 0; i < cluster_.size(); ++i) populate(*cluster_.node(i));
    const std::uint64_t steps = plan_.between(pace_.steps_min, pace_.steps_max);
    for (std::uint64_t step = 0; step < steps && good(); ++step) {
      cluster_.run_for(up_to(pace_.gap));
      misfortune();
    }
    if (good()) come_to_rest();
    if (good()) judge();
  }
  return {work_.complaint,      cluster_.world().trace(), recorder_.ops(), work_.done,
          recorder_.failures(), cluster_.moved(),         undecided_};
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

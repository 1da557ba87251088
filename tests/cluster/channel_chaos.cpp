#include "channel_chaos.h"

#include <vector>

#include "channel_node.h"
#include "krg/reactor/frame_pool.h"

namespace krg::cluster_test {
namespace {

using namespace std::chrono_literals;

// What may go wrong in one part of a run.
struct Troubles {
  bool kill = false, views = false, stop = false, cut = false, disconnect = false, slow = false;
};

class ChannelCluster {
 public:
  explicit ChannelCluster(std::uint64_t seed)
      : world_({.seed = seed,
                .nodes = static_cast<std::uint32_t>(3 + seed % 3),
                .detect_max = 50ms,
                .link_timeout = 30ms}) {
    // No reallocation: nodes keep a pointer to their view.
    ledger_.views.reserve(kViewsMax);
    if (world_.random().chance(300)) {  // Bounds that are met often.
      options_.window_messages = static_cast<std::uint32_t>(world_.random().between(1, 20));
      options_.window_bytes = world_.random().between(1000, 200'000);
      options_.ack_messages = static_cast<std::uint32_t>(world_.random().between(1, 10));
      options_.later_messages = static_cast<std::uint32_t>(world_.random().between(0, 10));
    }
    if (world_.random().chance(200)) {  // Calls that are given up, and arrive nevertheless.
      options_.question_limit = std::chrono::milliseconds(world_.random().between(3, 50));
      options_.large_limit = std::chrono::milliseconds(world_.random().between(3, 50));
    }
    lives_.resize(world_.size(), Incarnation{1});
    nodes_.resize(world_.size());
    for (std::uint32_t i = 0; i < world_.size(); ++i) begin_life(NodeId{i});
    agree(false);
  }
  ~ChannelCluster() {
    for (auto& node : nodes_) end_life(node);
  }

  // What was wrong, if anything.
  std::string run();
  ChannelChaosResult result();
  std::uint64_t owners() const { return ledger_.owners; }

 private:
  static constexpr std::size_t kViewsMax = 4096;

  void begin_life(NodeId node) {
    const ChannelLife life{node, lives_[node.value]};
    nodes_[node.value] = std::make_unique<ChannelNode>(world_, ledger_, life, options_);
  }
  void end_life(std::unique_ptr<ChannelNode>& node) {
    if (node == nullptr) return;
    world_.kill(node->life().node);
    node.reset();
  }
  void revive(NodeId node) {
    world_.restart(node);
    lives_[node.value] = Incarnation{lives_[node.value].value + 1};
    begin_life(node);
  }
  NodeId any() { return NodeId{static_cast<std::uint32_t>(world_.random().below(world_.size()))}; }
  void agree(bool some_stay_out);
  bool newest_is_alive() const;
  void one_trouble(const Troubles& troubles);
  void slow_down(NodeId from, NodeId to);
  void repair();
  std::string rest();
  std::string undelivered() const;
  std::string left_over();

  sim::World world_;
  ChannelLedger ledger_;
  kddm::ChannelOptions options_;
  std::vector<std::unique_ptr<ChannelNode>> nodes_;
  std::vector<Incarnation> lives_;
};

// A new view of those that are alive; nodes enter it each at its own time.
void ChannelCluster::agree(bool some_stay_out) {
  if (ledger_.views.size() == kViewsMax) return;
  cluster::View view;
  view.epoch = Epoch{static_cast<std::uint32_t>(ledger_.views.size() + 1)};
  for (const auto& node : nodes_) {
    if (node == nullptr || (some_stay_out && world_.random().chance(150))) continue;
    cluster::Member member;
    member.node = node->life().node;
    member.incarnation = node->life().incarnation;
    view.members.push_back(member);
  }
  ledger_.views.push_back(std::move(view));
}

bool ChannelCluster::newest_is_alive() const {
  for (const cluster::Member& m : ledger_.views.back().members) {
    const auto& node = nodes_[m.node.value];
    if (node == nullptr || node->life().incarnation != m.incarnation) return false;
  }
  return true;
}

void ChannelCluster::slow_down(NodeId from, NodeId to) {
  sim::Latency latency;
  if (world_.random().chance(600)) {
    latency.max = std::chrono::microseconds(world_.random().below(8000) + 1);
    latency.per_kib = std::chrono::microseconds(world_.random().below(300));
  }
  world_.set_latency(from, to, latency);
}

void ChannelCluster::one_trouble(const Troubles& troubles) {
  const NodeId a = any(), b = any();
  switch (world_.random().below(10)) {
    case 0:
      if (troubles.kill) end_life(nodes_[a.value]);
      break;
    case 1:
      if (nodes_[a.value] == nullptr) revive(a);
      break;
    case 2:
      if (troubles.stop) world_.stop(a);
      break;
    case 3:
      if (nodes_[a.value] != nullptr) world_.resume(a);
      break;
    case 4:
      if (troubles.cut && a != b) world_.cut(a, b);
      break;
    case 5:
    case 6:
      world_.mend(a, b);
      break;
    case 7:
      if (!troubles.disconnect || nodes_[a.value] == nullptr) break;
      nodes_[a.value]->rpc().disconnect(b);
      world_.wake(a);
      break;
    case 8:
      if (troubles.slow && a != b) slow_down(a, b);
      break;
    default:
      if (troubles.views) agree(true);
      break;
  }
}

void ChannelCluster::repair() {
  for (std::uint32_t a = 0; a < world_.size(); ++a) {
    if (nodes_[a] != nullptr) world_.resume(NodeId{a});
    for (std::uint32_t b = 0; b < world_.size(); ++b) {
      world_.mend(NodeId{a}, NodeId{b});
      if (a != b) world_.set_latency(NodeId{a}, NodeId{b}, sim::Latency{});
    }
  }
}

// Of the newest view: all that was sent must have arrived.
std::string ChannelCluster::undelivered() const {
  for (const auto& [way, count] : ledger_.ways) {
    if (way.epoch != ledger_.views.back().epoch || count.sent == count.delivered) continue;
    return std::to_string(count.delivered) + " of " + std::to_string(count.sent) +
           " messages arrived from node " + std::to_string(way.from.node.value) + " to " +
           std::to_string(way.to.node.value);
  }
  return {};
}

std::string ChannelCluster::left_over() {
  for (const auto& node : nodes_) {
    if (node == nullptr) continue;
    node->forget();
    if (std::string what = node->left_over(); !what.empty()) return what;
  }
  if (ledger_.owners != 0) return std::to_string(ledger_.owners) + " owners of data are left";
  return {};
}

// The troubles end; all enter the newest view, which is a new one only if members have died.
std::string ChannelCluster::rest() {
  repair();
  if (!newest_is_alive()) agree(false);
  ledger_.views_wait = true;
  for (const auto& node : nodes_) {
    if (node == nullptr) continue;
    node->enter(ledger_.views.back());
    world_.wake(node->life().node);
    world_.run_for(std::chrono::microseconds(world_.random().below(3000)));
  }
  world_.run_for(5ms);
  ledger_.quiet = true;
  const auto at_rest = [&] {
    if (!ledger_.complaint.empty()) return true;
    for (const auto& node : nodes_) {
      if (node != nullptr && node->channels().unacknowledged() != 0) return false;
    }
    return true;
  };
  world_.run_until(at_rest, 20s);
  if (!ledger_.complaint.empty()) return ledger_.complaint;
  if (std::string what = undelivered(); !what.empty()) return what;
  world_.run_for(1s);  // Answers to questions that have become needless; what rpc still holds.
  if (std::string what = left_over(); !what.empty()) return what;
  ledger_.quiet = ledger_.views_wait = false;
  return ledger_.complaint;
}

std::string ChannelCluster::run() {
  sim::Random& random = world_.random();
  for (int part = 0; part < 3; ++part) {
    Troubles troubles;
    troubles.stop = random.chance(500);
    troubles.cut = random.chance(700);
    troubles.disconnect = random.chance(500);
    troubles.slow = random.chance(500);
    // In half of the parts nobody leaves: then all of it must arrive.
    troubles.kill = random.chance(350);
    troubles.views = troubles.kill || random.chance(200);
    for (int i = 0; i < 25 && ledger_.complaint.empty(); ++i) {
      world_.run_for(std::chrono::microseconds(random.below(6000)));
      one_trouble(troubles);
    }
    if (std::string what = rest(); !what.empty()) return what;
  }
  return {};
}

ChannelChaosResult ChannelCluster::result() {
  ChannelChaosResult result;
  result.trace = world_.trace();
  result.views = ledger_.views.size();
  kddm::ChannelStats& sum = result.stats;
  for (const auto& node : nodes_) {
    if (node == nullptr) continue;
    const kddm::ChannelStats& s = node->channels().stats();
    sum.sent += s.sent;
    sum.delivered += s.delivered;
    sum.not_members += s.not_members;
    sum.large += s.large;
    sum.bundles += s.bundles;
    sum.bundled += s.bundled;
    sum.resent += s.resent;
    sum.acks += s.acks;
    sum.probes += s.probes;
    sum.duplicates += s.duplicates;
    sum.early += s.early;
    sum.beyond += s.beyond;
    sum.old += s.old;
    sum.strangers += s.strangers;
    sum.later += s.later;
    sum.later_dropped += s.later_dropped;
    sum.malformed += s.malformed;
  }
  return result;
}

}  // namespace

ChannelChaosResult run_channel_chaos(std::uint64_t seed) {
  const std::size_t frames = reactor::frames_in_use();
  ChannelChaosResult result;
  {
    ChannelCluster cluster(seed);
    std::string complaint = cluster.run();
    result = cluster.result();
    result.complaint = std::move(complaint);
  }
  if (result.complaint.empty() && reactor::frames_in_use() != frames) {
    result.complaint = "coroutine frames are left";
  }
  return result;
}

}  // namespace krg::cluster_test

#include "growth_cluster.h"

#include <time.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace krg::bench {
namespace {

using kddm::HashRing;
using kddm::Homes;

// The set of all sets: object i tells of set i.
constexpr kddm::SetId kDirectory{1};
// Simulated; nothing here takes a tenth of it.
constexpr Duration kPatience = std::chrono::seconds(600);
// Longer than a channel waits for an acknowledgement before it asks for what may be lost.
constexpr Duration kQuiet = std::chrono::milliseconds(20);

sim::WorldOptions options_for(std::uint32_t size) {
  sim::WorldOptions options;
  options.nodes = size;
  options.latency = {.min = kHop, .max = kHop, .tail_per_mille = 0, .per_kib = Duration(0)};
  options.pending_per_mille = 0;
  return options;
}

Co<void> enter_view(kddm::Kddm& kddm, cluster::View view) {
  kddm.enter(view);
  co_return;
}

}  // namespace

// --- One node -----------------------------------------------------------------------------------

namespace {

double cpu_now() noexcept {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

}  // namespace

bool TurnMeter::poll() noexcept {
  begun_ = cpu_now();
  return false;
}

void TurnMeter::close() noexcept {
  if (begun_ < 0) return;
  seconds_ += cpu_now() - begun_;
  begun_ = -1;
}

GrowthCluster::Node::Node(sim::World& world, NodeId id, const cluster::NodeSet& sees,
                          reactor::Poller* first)
    : reactor(world.reactor(id)), rpc(reactor, rpc::RpcOptions{.self = {id, Incarnation{1}}}) {
  if (first != nullptr) reactor.add_poller(*first);
  fabric::Options options;
  options.self = {id, Incarnation{1}};
  fabric = std::move(*world.open(reactor, rpc, options));
  rpc.attach(*fabric);
  reactor.add_poller(rpc);
  for (const NodeId other : sees) {
    if (other != id) rpc.set_address(other, "sim:" + std::to_string(other.value));
  }
  kddm.emplace(rpc, kddm::KddmOptions{.self = id, .serving = {}, .stats = &stats});
  sent = &stats.counter("kddm.sent");
  received = &stats.counter("kddm.received");
  impossible = &stats.counter("kddm.impossible");
  refused = &stats.counter("kddm.refused");
}

GrowthCluster::Node::~Node() {
  reactor.cancel_all();
  kddm.reset();
  reactor.remove_poller(rpc);
  fabric.reset();
}

// --- Who knows whom -----------------------------------------------------------------------------

GrowthCluster::GrowthCluster(std::uint32_t size, bool whole)
    : world_(options_for(size)),
      members_(cluster::NodeSet::first(size)),
      ring_(members_),
      sees_(size),
      nodes_(size) {
  choose_nodes();
  if (whole) {
    std::fill(sees_.begin(), sees_.end(), members_);
  } else {
    make_neighbours();
  }
  for (const NodeId id : members_) {
    nodes_[id.value] =
        std::make_unique<Node>(world_, id, sees_[id.value], id == measured_ ? &meter_ : nullptr);
  }
}

GrowthCluster::~GrowthCluster() {
  for (const auto& node : nodes_) {
    if (node != nullptr) node->reactor.cancel_all();
  }
}

// The wide nodes: the homes of the sets' entries, two that are home and heir of as many slots as
// the mean, and the first others.
void GrowthCluster::choose_nodes() {
  std::vector<double> home(size()), heir(size());
  for (std::size_t slot = 0; slot < HashRing::kSlots; ++slot) {
    ++home[ring_.slot(slot).home.value];
    ++heir[ring_.slot(slot).heir.value];
  }
  const double mean = static_cast<double>(HashRing::kSlots) / size();
  std::vector<NodeId> usual(members_.begin(), members_.end());
  std::stable_sort(usual.begin(), usual.end(), [&](NodeId a, NodeId b) {
    const auto off = [&](NodeId n) {
      return std::abs(home[n.value] - mean) + std::abs(heir[n.value] - mean);
    };
    return off(a) < off(b);
  });
  measured_ = usual[0];
  leaver_ = usual[1];
  cluster::NodeSet wide{measured_, leaver_};
  for (const kddm::SetId set : {kSpread, kFixed, kTwoCopies}) {
    wide.insert(ring_.homes(kDirectory, kddm::ObjectId{set.value}).home);
  }
  for (const NodeId id : members_) {
    if (wide.size() < kWide) wide.insert(id);
  }
  wide_.assign(wide.begin(), wide.end());
}

void GrowthCluster::make_neighbours() {
  for (const NodeId id : members_) {
    sees_[id.value].insert(id);
    for (const NodeId wide : wide_) sees_[id.value].insert(wide);
  }
  HashRing later(members_ - cluster::NodeSet{leaver_});
  for (std::size_t slot = 0; slot < HashRing::kSlots; ++slot) {
    for (const Homes& homes : {ring_.slot(slot), later.slot(slot)}) {
      sees_[homes.home.value].insert(homes.heir);
      sees_[homes.heir.value].insert(homes.home);
    }
  }
  for (const NodeId wide : wide_) sees_[wide.value] = members_;
}

cluster::View GrowthCluster::view_of(NodeId node, Epoch epoch) const {
  const cluster::NodeSet seen = sees_[node.value] & members_;
  cluster::View view{epoch, seen.min(), {}};
  for (const NodeId id : seen) {
    cluster::Member member;
    member.node = id;
    member.incarnation = Incarnation{1};
    view.members.push_back(std::move(member));
  }
  return view;
}

// --- What happens -------------------------------------------------------------------------------

void GrowthCluster::enter(const cluster::NodeSet& members) {
  for (const NodeId id : members_ - members) {
    world_.kill(id);
    nodes_[id.value].reset();
    std::erase(wide_, id);
  }
  members_ = members;
  ++epoch_;
  for (const NodeId id : members_) {
    node(id).reactor.spawn(enter_view(*node(id).kddm, view_of(id, Epoch{epoch_})));
    world_.wake(id);
  }
}

Status GrowthCluster::run_until(const std::function<bool()>& condition) {
  const bool held = world_.run_until(
      [&] {
        meter_.close();
        return condition();
      },
      kPatience);
  return held ? Status() : Status(Error(Errc::timed_out, "the simulated cluster"));
}

Co<void> GrowthCluster::keep(Co<Status> what) {
  const Status ended = co_await std::move(what);
  if (!ended && status_) status_ = ended;
  --running_;
}

Status GrowthCluster::run(std::vector<Work> works) {
  status_ = {};
  running_ = works.size();
  for (Work& work : works) {
    node(work.at).reactor.spawn(keep(std::move(work.what)));
    world_.wake(work.at);
  }
  KRG_TRY(run_until([this] { return running_ == 0; }));
  return status_;
}

Status GrowthCluster::run(NodeId at, Co<Status> what) {
  std::vector<Work> works;
  works.push_back({at, std::move(what)});
  return run(std::move(works));
}

Status GrowthCluster::settle() {
  return run_until([this] {
    return std::all_of(wide_.begin(), wide_.end(), [this](NodeId id) {
      return node(id).kddm->epoch().value == epoch_ && node(id).kddm->settled();
    });
  });
}

// What a node has sent may wait for the channel's window for as long as its peers send nothing
// themselves: so what comes counts as well.
void GrowthCluster::rest() {
  std::uint64_t before = 0;
  do {
    before = sent() + received();
    const TimePoint end = now() + kQuiet;
    static_cast<void>(world_.run_until(
        [&] {
          meter_.close();
          return now() >= end;
        },
        kQuiet));
  } while (sent() + received() != before);
}

std::uint64_t GrowthCluster::sum_of(stats::Counter* Node::*counter) const noexcept {
  std::uint64_t sum = 0;
  for (const auto& node : nodes_) {
    if (node != nullptr) sum += (node.get()->*counter)->value();
  }
  return sum;
}

std::uint64_t GrowthCluster::sent() const noexcept { return sum_of(&Node::sent); }

std::uint64_t GrowthCluster::received() const noexcept { return sum_of(&Node::received); }

Status GrowthCluster::sound() const {
  for (const auto& node : nodes_) {
    if (node == nullptr || node->impossible->value() + node->refused->value() == 0) continue;
    return Error(Errc::protocol_error, "a simulated node got what must never come");
  }
  return {};
}

}  // namespace krg::bench

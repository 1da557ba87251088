#include "rest_check.h"

#include <fmt/format.h>

#include <map>
#include <vector>

namespace krg::kddm_sim {
namespace {

using kddm::Copy;
using kddm::CopySet;
using kddm::HomeState;

struct Part {
  NodeId node;
  kddm::ObjectState state;
};

// What all nodes together say about one object.
class Truth {
 public:
  Truth(const std::vector<Part>& parts, std::size_t wanted) : wanted_(wanted) {
    for (const Part& part : parts) look(part);
  }

  const std::string& error() {
    if (homes_ > 1) wrong("two homes");
    if (home_ == nullptr) {
      if (!copies_.empty() || !spares_.empty()) wrong("copies without a home");
      if (noted_ > 0) wrong("noted at an heir, but the home knows nothing");
      return error_;
    }
    const kddm::Home& home = *home_;
    if (noted_ != 1) wrong(fmt::format("{} heirs have noted that it exists", noted_));
    if (home.state == HomeState::lost) {
      if (!copies_.empty() || !spares_.empty()) wrong("lost, but there are copies");
      return error_;
    }
    if (home.state != HomeState::idle) {
      wrong(fmt::format("the home is {}", name_of(home.state)));
      return error_;
    }
    if (copies_.empty()) wrong("no copy");
    if (!(home.copies == copies_)) wrong("the copy set is wrong");
    if (!(home.spares == spares_)) wrong("the spares are wrong");
    if (home.exclusive != (writers_ > 0)) wrong("the writer is wrong");
    if (!home.copies.contains(home.owner)) wrong("the owner is wrong");
    if (writers_ > 0 && copies_.size() > 1) wrong("a writer beside other copies");
    if (writers_ == 0 && !spares_.empty()) wrong("spares beside read copies");
    if (writers_ == 0 && copies_.size() < wanted_) wrong("too few copies");
    if (writers_ > 0 && spares_.size() >= wanted_) wrong("too many spares");
    return error_;
  }

 private:
  void look(const Part& part) {
    const kddm::Holder& holder = part.state.holder;
    const kddm::Home& home = part.state.home;
    const std::string where = fmt::format(" at node {}", part.node.value);
    if (holder.asks != kddm::Asks::nothing) wrong("a request is under way" + where);
    if (holder.contended || holder.in_use()) wrong("a lease is held" + where);
    if (holder.copy == Copy::filling) wrong("a first touch is running" + where);
    if (holder.copy == Copy::spare) spares_.insert(part.node);
    if (holder.copy == Copy::read || holder.copy == Copy::write) copies_.insert(part.node);
    if (holder.copy == Copy::write) ++writers_;
    if (home.state == HomeState::away) {
      if (home.noted) ++noted_;
      return;
    }
    if (home.state == HomeState::absent) return;
    ++homes_;
    home_ = &home;
  }
  void wrong(std::string what) {
    if (error_.empty()) error_ = std::move(what);
  }

  const std::size_t wanted_;
  CopySet copies_, spares_;
  unsigned writers_ = 0, homes_ = 0, noted_ = 0;
  const kddm::Home* home_ = nullptr;
  std::string error_;
};

std::string check_left_over(Node& node) {
  if (node.kddm.pending() != 0) return fmt::format("{} operations wait", node.kddm.pending());
  const rpc::Rpc& rpc = node.end.rpc();
  if (rpc.pending_calls() != 0) return fmt::format("{} calls are pending", rpc.pending_calls());
  if (rpc.active_handlers() != 0) return "handlers are active";
  const stats::Snapshot all = node.stats.snapshot();
  for (const char* const name : {"kddm.impossible", "kddm.refused"}) {
    const stats::Item* const item = all.find(name);
    if (item != nullptr && item->value != 0) return fmt::format("{} is {}", name, item->value);
  }
  return {};
}

}  // namespace

std::string check_rest(Cluster& cluster, const Work& work) {
  constexpr std::size_t kDirectoryCopies = 3;
  std::map<std::pair<kddm::SetId, kddm::ObjectId>, std::vector<Part>> parts;
  for (std::uint32_t i = 0; i < cluster.size(); ++i) {
    Node& node = *cluster.node(i);
    if (std::string left = check_left_over(node); !left.empty()) {
      return fmt::format("at rest, node {}: {}", i, left);
    }
    for (kddm::ObjectState& state : node.kddm.dump()) {
      parts[{state.set, state.object}].push_back({node.id, std::move(state)});
    }
  }
  for (const auto& [name, known] : parts) {
    std::size_t wanted = kDirectoryCopies;
    for (const SetPlan& set : work.sets) {
      if (set.id == name.first) wanted = set.options.copies;
    }
    Truth truth(known, std::min<std::size_t>(wanted, cluster.size()));
    if (truth.error().empty()) continue;
    return fmt::format("at rest, object {} of set {}: {}", name.second.value, name.first.value,
                       truth.error());
  }
  return {};
}

}  // namespace krg::kddm_sim

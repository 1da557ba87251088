// Cpus for the ranks of one node.
#include <algorithm>

#include "complain.h"
#include "shape.h"

namespace krg::placement {
namespace {

using topo::CpuSet;
using topo::Level;

class Binder {
 public:
  Binder(Work& work, std::uint32_t node)
      : work_(work),
        seat_(work.seats[node]),
        shape_(*seat_.shape),
        name_(work.request.nodes[node].name),
        binding_(*work.policy.bind),
        unit_(cpu_level(work.policy)),
        pe_(work.policy.modifiers.pe) {}

  Status run() {
    if (binding_.level == Level::machine) return drop_all();
    if (work_.default_bind && seat_.used() > seat_.slots && pe_ == 0) return drop_all();
    if (work_.policy.map->by == MapBy::pe_list) return to_list();
    if (work_.policy.map->by == MapBy::rankfile || work_.policy.map->by == MapBy::seq) {
      if (std::any_of(seat_.placed.begin(), seat_.placed.end(),
                      [](const Placed& p) { return !p.cpus.empty(); })) {
        return {};  // The file has said it.
      }
    }
    return pe_ > 0 ? to_cpus() : to_objects();
  }

 private:
  Status drop_all() {
    for (Placed& placed : seat_.placed) placed.cpus.clear();
    return {};
  }

  // pe-list: every rank on the listed cpus, or with ORDERED the n-th rank on the n-th of them.
  Status to_list() {
    const Mapping& mapping = *work_.policy.map;
    const std::vector<CpuSet>& cpus = shape_.at(unit_);
    if (mapping.cpus.last() >= cpus.size()) {
      return complain(work_.complaint, "--map-by {}: node {} has {} cpus, numbered from 0",
                      to_string(mapping), name_, cpus.size());
    }
    const auto listed = mapping.cpus.members();
    CpuSet all;
    for (const std::uint32_t number : listed) all |= cpus[number];
    if (!binding_.overload && seat_.used() > listed.size()) {
      if (work_.default_bind) return drop_all();
      return overloaded(static_cast<std::uint32_t>(listed.size()), seat_.used(), "the list");
    }
    for (std::size_t i = 0; i < seat_.placed.size(); ++i) {
      seat_.placed[i].cpus = mapping.ordered ? cpus[listed[i % listed.size()]] : all;
    }
    return {};
  }

  // One object of the level for each rank: the one with the fewest ranks where it was mapped.
  Status to_objects() {
    const std::vector<CpuSet>& objects = shape_.at(binding_.level);
    if (objects.empty()) {
      if (binding_.if_supported || work_.default_bind) return drop_all();
      return complain(work_.complaint,
                      "--bind-to {}: node {} has no {}; bind to something it has, or add "
                      ":if-supported",
                      to_string(binding_), name_, topo::name(binding_.level));
    }
    std::vector<std::uint32_t> used(objects.size());
    for (Placed& placed : seat_.placed) {
      const CpuSet& place = shape_.at(placed.level)[placed.object];
      std::size_t best = objects.size();
      for (std::size_t i = 0; i < objects.size(); ++i) {
        if (!objects[i].intersects(place)) continue;
        if (best == objects.size() || used[i] < used[best]) best = i;
      }
      KRG_ASSERT(best < objects.size());
      const std::uint32_t ranks = ++used[best];
      if (binding_.limit > 0 && ranks > binding_.limit) {
        return complain(work_.complaint, Errc::limit_reached,
                        "--bind-to {}: a {} of node {} would get more than {} ranks",
                        to_string(binding_), topo::name(binding_.level), name_, binding_.limit);
      }
      // A cpu is a core here, unless threads count or are bound to.
      const Level unit = binding_.level == Level::hwthread ? Level::hwthread : unit_;
      const std::uint32_t cpus = cpus_in(shape_, unit, objects[best]);
      if (!binding_.overload && ranks > cpus) {
        if (work_.default_bind) return drop_all();
        return overloaded(cpus, ranks, topo::name(binding_.level));
      }
      placed.cpus = objects[best];
    }
    return {};
  }

  // PE=n: n whole cpus for each rank, near where it was mapped.
  Status to_cpus() {
    const std::vector<CpuSet>& cpus = shape_.at(unit_);
    std::vector<std::uint32_t> used(cpus.size());
    for (Placed& placed : seat_.placed) {
      const CpuSet place = place_for(placed, cpus);
      std::vector<std::size_t> inside;
      for (std::size_t i = 0; i < cpus.size(); ++i) {
        if (cpus[i].intersects(place) && (binding_.overload || used[i] == 0)) inside.push_back(i);
      }
      if (inside.size() < pe_) {
        return complain(
            work_.complaint, Errc::limit_reached,
            "PE={}: {} ranks of node {} do not find {} free {}s each; use fewer ranks or "
            "cpus, or --bind-to core:overload-allowed",
            pe_, seat_.used(), name_, pe_, topo::name(unit_));
      }
      std::stable_sort(inside.begin(), inside.end(),
                       [&](std::size_t a, std::size_t b) { return used[a] < used[b]; });
      placed.cpus.clear();
      for (std::uint32_t i = 0; i < pe_; ++i) {
        ++used[inside[i]];
        placed.cpus |= cpus[inside[i]];
      }
    }
    return {};
  }

  // Where the cpus of a rank may be: its object, or all of the node if that has too few.
  CpuSet place_for(const Placed& placed, const std::vector<CpuSet>& cpus) const {
    const CpuSet& own = shape_.at(placed.level)[placed.object];
    if (cpus_in(shape_, unit_, own) >= pe_) return own;
    CpuSet all;
    for (const CpuSet& cpu : cpus) all |= cpu;
    return all;
  }

  Error overloaded(std::uint32_t cpus, std::uint32_t ranks, std::string_view what) {
    return complain(
        work_.complaint, Errc::limit_reached,
        "--bind-to {}: {} of node {} has {} cpu{} for {} ranks; add :overload-allowed, or "
        "bind to something larger",
        to_string(binding_), what, name_, cpus, cpus == 1 ? "" : "s", ranks);
  }

  Work& work_;
  Seat& seat_;
  const Shape& shape_;
  const std::string& name_;
  const Binding& binding_;
  const Level unit_;
  const std::uint32_t pe_;
};

}  // namespace

Status bind_node(Work& work, std::uint32_t node) { return Binder(work, node).run(); }

}  // namespace krg::placement

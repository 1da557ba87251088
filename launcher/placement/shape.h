// placement/shape.h: what the mapper needs to know of a node, and the work it does on it.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "krg/placement/map.h"

namespace krg::placement {

// The usable objects of a node. Nodes with the same topology and cpus share one.
struct Shape {
  std::array<std::vector<topo::CpuSet>, topo::kLevels> objects;

  const std::vector<topo::CpuSet>& at(topo::Level level) const {
    return objects[static_cast<std::size_t>(level)];
  }
};

inline constexpr std::uint32_t kNoLimit = 0xffffffffu;

// A rank that has a place, but perhaps no number and no cpus yet.
struct Placed {
  std::uint32_t app = 0;
  topo::Level level = topo::Level::machine;
  std::uint32_t object = 0;
  std::optional<std::uint32_t> rank;  // Given by a file.
  topo::CpuSet cpus;                  // Given by a file or a list; else set by bind().
};

// A node while ranks are dealt to it.
struct Seat {
  const Shape* shape = nullptr;
  std::uint32_t cpus = 0;         // Cores, or hardware threads if those count.
  std::uint32_t slots = 0;        // Without oversubscribing.
  std::uint32_t hard = kNoLimit;  // With it.
  std::vector<Placed> placed;     // In the order of mapping.

  std::uint32_t used() const { return static_cast<std::uint32_t>(placed.size()); }
  std::uint32_t room(bool oversubscribe) const {
    const std::uint32_t limit = oversubscribe ? hard : std::min(slots, hard);
    return limit > used() ? limit - used() : 0;
  }
};

// One call of place().
struct Work {
  const Request& request;
  std::string& complaint;
  Policy policy;  // Complete after complete_policy().
  bool default_map = false;
  bool default_bind = false;
  std::vector<Seat> seats;               // Per node.
  std::vector<std::uint32_t> app_ranks;  // Per app: how many it gets.
  std::vector<std::unique_ptr<Shape>> shapes;
};

// The level that counts as a cpu.
topo::Level cpu_level(const Policy& policy);
// How many cpus of that kind are, at least in part, in `set`.
std::uint32_t cpus_in(const Shape& shape, topo::Level unit, const topo::CpuSet& set);

// place() in its steps; each reports through Work::complaint.
Status prepare(Work& work);
std::vector<std::uint32_t> candidates(const Work& work, std::uint32_t app);
Status spread_app(Work& work, std::uint32_t app);
Status place_by_file(Work& work, std::uint32_t app);
Status rank_all(Work& work, Map& map);
Status bind_node(Work& work, std::uint32_t node);

}  // namespace krg::placement

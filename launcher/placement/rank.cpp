// Numbers for the ranks that have a place.
#include <algorithm>
#include <numeric>
#include <tuple>

#include "shape.h"

namespace krg::placement {
namespace {

// A rank of one app in the order of mapping, with what the policies sort by.
struct Entry {
  std::uint32_t node = 0;
  std::uint32_t slot = 0;  // Position in Seat::placed.
  std::uint32_t object = 0;
  std::uint32_t on_node = 0;    // How many of the app came before it on the node,
  std::uint32_t on_object = 0;  // and on the object.
};

std::vector<Entry> entries_of(const Work& work, std::uint32_t app) {
  std::vector<Entry> out;
  for (std::uint32_t node = 0; node < work.seats.size(); ++node) {
    std::uint32_t on_node = 0;
    std::vector<std::uint32_t> on_object;
    const auto& placed = work.seats[node].placed;
    for (std::uint32_t slot = 0; slot < placed.size(); ++slot) {
      if (placed[slot].app != app) continue;
      const std::uint32_t object = placed[slot].object;
      if (on_object.size() <= object) on_object.resize(object + 1);
      out.push_back({node, slot, object, on_node++, on_object[object]++});
    }
  }
  return out;
}

void sort_by(RankBy by, std::vector<Entry>& entries) {
  auto key = [by](const Entry& e) -> std::tuple<std::uint32_t, std::uint32_t, std::uint32_t> {
    switch (by) {
      case RankBy::slot:
        return {e.node, e.on_node, 0};
      case RankBy::node:
        return {e.on_node, e.node, 0};
      case RankBy::fill:
        return {e.node, e.object, e.on_object};
      case RankBy::span:
        return {e.on_object, e.node, e.object};
    }
    return {};
  };
  std::sort(entries.begin(), entries.end(),
            [&](const Entry& a, const Entry& b) { return key(a) < key(b); });
}

}  // namespace

Status rank_all(Work& work, Map& map) {
  const std::uint32_t total =
      std::accumulate(work.app_ranks.begin(), work.app_ranks.end(), std::uint32_t{0});
  map.ranks.resize(total);
  std::uint32_t first = 0;
  for (std::uint32_t app = 0; app < work.app_ranks.size(); ++app) {
    std::vector<Entry> entries = entries_of(work, app);
    sort_by(*work.policy.rank, entries);
    for (std::uint32_t i = 0; i < entries.size(); ++i) {
      Placed& placed = work.seats[entries[i].node].placed[entries[i].slot];
      const std::uint32_t app_rank = placed.rank.value_or(i);
      Rank& rank = map.ranks[first + app_rank];
      rank = {first + app_rank, entries[i].node, 0, app, app_rank, placed.cpus,
              placed.level,     placed.object};
    }
    first += work.app_ranks[app];
  }
  map.on_node.resize(work.seats.size());
  for (Rank& rank : map.ranks) {
    auto& here = map.on_node[rank.node];
    rank.local_rank = static_cast<std::uint32_t>(here.size());
    here.push_back(rank.rank);
  }
  map.oversubscribed.resize(work.seats.size());
  for (std::uint32_t node = 0; node < work.seats.size(); ++node) {
    if (!map.on_node[node].empty()) map.nodes.push_back(node);
    map.oversubscribed[node] = work.seats[node].used() > work.seats[node].slots;
  }
  return {};
}

}  // namespace krg::placement

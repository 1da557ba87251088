#include <algorithm>
#include <numeric>

#include "complain.h"
#include "krg/placement/map.h"
#include "shape.h"
#include "text.h"

namespace krg::placement {
namespace {

using topo::Level;

constexpr std::uint64_t kMaxRanks = 1u << 20;

// The ranks of an app that did not say how many.
Result<std::uint32_t> default_count(const Work& work, std::uint32_t app) {
  const Request& request = work.request;
  if (request.apps.size() > 1) {
    return complain(work.complaint,
                    "program {} needs -n: with several programs each says how many "
                    "ranks it wants",
                    app + 1);
  }
  const auto& map = request.policy.map;
  const auto nodes = candidates(work, app);
  if (map && (map->by == MapBy::seq || map->by == MapBy::rankfile)) {
    const auto lines = split(request.file_text, '\n');
    return static_cast<std::uint32_t>(std::count_if(
        lines.begin(), lines.end(), [](std::string_view line) { return !words(line).empty(); }));
  }
  std::uint64_t sum = 0;
  for (const std::uint32_t node : nodes) {
    const Seat& seat = work.seats[node];
    if (map && map->by == MapBy::ppr) {
      sum += std::uint64_t{map->count} * seat.shape->at(map->level).size();
    } else {
      sum += request.per_node > 0 ? request.per_node : std::min(seat.slots, seat.hard);
    }
  }
  return static_cast<std::uint32_t>(std::min(sum, kMaxRanks + 1));
}

Status count_ranks(Work& work) {
  std::uint64_t total = 0;
  for (std::uint32_t app = 0; app < work.request.apps.size(); ++app) {
    std::uint32_t ranks = work.request.apps[app].ranks;
    if (ranks == 0) {
      KRG_TRY_ASSIGN(ranks, default_count(work, app));
    }
    if (ranks == 0) {
      return complain(work.complaint, "there is no place for any rank of program {}", app + 1);
    }
    work.app_ranks.push_back(ranks);
    total += ranks;
  }
  if (total == 0) return complain(work.complaint, "no program to run");
  if (total <= kMaxRanks) return {};
  return complain(work.complaint, Errc::limit_reached, "{} ranks asked for; {} is the limit", total,
                  kMaxRanks);
}

Mapping default_mapping(const Work& work, std::uint32_t total) {
  Mapping mapping;
  mapping.by = MapBy::object;
  const bool few = total <= 2 && work.policy.modifiers.pe <= 1 && !work.policy.modifiers.span;
  mapping.level = few ? cpu_level(work.policy) : Level::numa;
  const bool numa_everywhere =
      std::all_of(work.seats.begin(), work.seats.end(),
                  [](const Seat& seat) { return !seat.shape->at(Level::numa).empty(); });
  if (!few && !numa_everywhere) mapping.level = Level::package;
  return mapping;
}

Binding default_binding(const Work& work, std::uint32_t total) {
  const Mapping& mapping = *work.policy.map;
  Binding binding;
  binding.level = cpu_level(work.policy);
  if (work.policy.modifiers.pe > 0 || mapping.by == MapBy::pe_list) return binding;
  const bool by_place =
      mapping.by == MapBy::object || (mapping.by == MapBy::ppr && mapping.level != Level::machine);
  if (by_place) {
    binding.level = mapping.level;
  } else if (total > 2) {
    binding.level = Level::numa;
  }
  return binding;
}

RankBy default_ranking(const Work& work) {
  if (work.policy.map->by == MapBy::node) return RankBy::node;
  return work.policy.modifiers.span ? RankBy::span : RankBy::slot;
}

// Fills in what the user left open.
Status complete_policy(Work& work) {
  const std::uint32_t total =
      std::accumulate(work.app_ranks.begin(), work.app_ranks.end(), std::uint32_t{0});
  Policy& policy = work.policy;
  work.default_map = !policy.map;
  work.default_bind = !policy.bind;
  if (!policy.map) policy.map = default_mapping(work, total);
  if (!policy.bind) policy.bind = default_binding(work, total);
  if (!policy.rank) policy.rank = default_ranking(work);
  const Level bound = policy.bind->level;
  if (policy.modifiers.pe > 0 && bound != Level::machine && bound != cpu_level(policy)) {
    return complain(work.complaint,
                    "--bind-to {} contradicts PE={}, which binds to {}s; leave one of them out",
                    to_string(*policy.bind), policy.modifiers.pe, topo::name(cpu_level(policy)));
  }
  return {};
}

bool by_file(const Policy& policy) {
  return policy.map->by == MapBy::seq || policy.map->by == MapBy::rankfile;
}

}  // namespace

Result<Map> place(const Request& request, std::string& complaint) {
  if (request.nodes.empty()) return complain(complaint, "there is no node to run on");
  Work work{request, complaint, request.policy, false, false, {}, {}, {}};
  KRG_TRY(prepare(work));
  KRG_TRY(count_ranks(work));
  KRG_TRY(complete_policy(work));
  if (by_file(work.policy) && request.apps.size() > 1) {
    return complain(complaint, "--map-by {} goes with one program only",
                    to_string(*work.policy.map));
  }
  for (std::uint32_t app = 0; app < request.apps.size(); ++app) {
    KRG_TRY(by_file(work.policy) ? place_by_file(work, app) : spread_app(work, app));
  }
  for (std::uint32_t node = 0; node < work.seats.size(); ++node) KRG_TRY(bind_node(work, node));
  Map map;
  KRG_TRY(rank_all(work, map));
  map.policy = std::move(work.policy);
  return map;
}

}  // namespace krg::placement

#include "krg/jobs/spec.h"

#include <algorithm>

#include "krg/base/assert.h"

namespace krg::jobs {

Status check(const JobSpec& spec) {
  const auto wrong = [](const char* what) { return Error(Errc::invalid_argument, what); };
  if (spec.nodes.empty() || spec.apps.empty() || spec.ranks.empty()) return wrong("an empty job");
  for (std::size_t i = 1; i < spec.nodes.size(); ++i) {
    if (!(spec.nodes[i - 1] < spec.nodes[i])) return wrong("nodes of a job out of order");
  }
  for (const AppSpec& app : spec.apps) {
    if (app.argv.empty()) return wrong("an app without a program");
  }
  for (const RankSpec& rank : spec.ranks) {
    if (rank.node >= spec.nodes.size() || rank.app >= spec.apps.size()) {
      return wrong("a rank without a place");
    }
  }
  if (spec.is_elastic()) {
    if (spec.apps.size() > 1 || spec.parent) return wrong("an elastic job of several programs");
    if (spec.elastic.per_node > kTasksMax) return wrong("too many tasks on a node");
  }
  if (spec.input_to > InputTo::all) return wrong("no such kind of input");
  if (spec.input_to == InputTo::one && spec.input_rank >= spec.ranks.size()) {
    return wrong("input for a rank that does not exist");
  }
  return {};
}

std::uint32_t extend(JobSpec& spec, NodeId node, std::uint32_t count) {
  KRG_ASSERT(spec.is_elastic());
  const auto at = std::lower_bound(spec.nodes.begin(), spec.nodes.end(), node);
  const auto index = static_cast<std::uint32_t>(at - spec.nodes.begin());
  if (at == spec.nodes.end() || *at != node) {
    spec.nodes.insert(at, node);
    for (RankSpec& rank : spec.ranks) rank.node += rank.node >= index ? 1 : 0;
  }
  const auto first = static_cast<std::uint32_t>(spec.ranks.size());
  for (std::uint32_t i = 0; i < count; ++i) spec.ranks.push_back({index, 0, i, {}});
  return first;
}

}  // namespace krg::jobs

#include "krg/settings/given.h"

#include <algorithm>

namespace krg::settings {
namespace {

constexpr config::Given kGiven[] = {
    {kRank, "The task's number in its job, from 0."},
    {kSize, "How many tasks the job has; in an elastic job, up to this task and those beside it."},
    {kLocalRank, "The task's number among those of its job on its node, from 0."},
    {kNode, "The number of the node the task runs on, from 0."},
    {kGate, "The socket at which the task reaches the krgd of its node."},
};

}  // namespace

std::span<const config::Given> given() { return kGiven; }

bool is_given(std::string_view entry) noexcept {
  const std::string_view name = entry.substr(0, entry.find('='));
  return std::any_of(std::begin(kGiven), std::end(kGiven),
                     [&](const config::Given& one) { return one.variable == name; });
}

}  // namespace krg::settings

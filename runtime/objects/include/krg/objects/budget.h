// objects/budget.h: how much memory a node may use for what the cluster shares, if nobody says.
//
// Model    80 % of the machine's memory, or of what its control group may use if that is less.
// Threads  safe.
// Blocks   as reading small files of /proc and /sys does.
// Source   docs/decisions/0016-one-budget-for-objects-and-pages.md; Linux, admin-guide/cgroup-v2
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace krg::objects {

// Of one of `nodes` krgds that share the machine; 1 GiB at least. Requires  nodes > 0.
std::uint64_t default_budget(std::uint32_t nodes = 1);

// What the control group of /proc/self/cgroup may use, or one that it is in; 0: there is no limit.
// `mounted`: where control groups are, by default /sys/fs/cgroup; only version 2 is looked at.
std::uint64_t group_limit(std::string_view proc_self_cgroup, const std::string& mounted);

}  // namespace krg::objects

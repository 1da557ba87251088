// What must hold when nothing happens any more: the directory is the truth, nobody waits, and
// nothing is left over.
#pragma once

#include <string>

#include "client.h"
#include "cluster.h"

namespace krg::kddm_sim {

// What is wrong, or nothing. Requires  all nodes are members and no client runs.
std::string check_rest(Cluster& cluster, const Work& work);

}  // namespace krg::kddm_sim

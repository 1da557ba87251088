// Whether no lease to write overlapped another lease.
#pragma once

#include <string>

#include "history.h"

namespace krg::kddm_sim {

// What is wrong, or nothing. A lease ends when it is given back or its life has ended.
// Cost      n log n of the number of leases.
std::string check_leases(const History& history);

}  // namespace krg::kddm_sim

// The same question as linearize.h answers, by trying every order: for histories of a few
// operations, to test the other by.
#pragma once

#include "history.h"

namespace krg::kddm_sim {

// Cost      the number of orders: up to 8 operations.
bool linearizable_by_force(const History& history);

}  // namespace krg::kddm_sim

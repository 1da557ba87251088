// Many seeds, one after the other or in some processes at a time, and what is said about them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "mutants.h"
#include "scenario.h"

namespace krg::kddm_sim {

struct FaultName {
  std::string_view name;
  unsigned faults;
};
constexpr std::array kFaultNames = {FaultName{"crash", kCrash}, FaultName{"partition", kPartition},
                                    FaultName{"pause", kPause}, FaultName{"slow", kSlow},
                                    FaultName{"leave", kLeave}, FaultName{"all", kAllFaults},
                                    FaultName{"none", 0}};

struct Plan {
  std::uint64_t first = 1, last = 100;
  Scenario scenario;
  kddm::Mutant mutant = kddm::Mutant::none;
  unsigned jobs = 1;
  bool keep_going = false;
  bool json = false;
  bool progress = true;
};

// Runs them all, and prints what was wrong and a sum: an exit code. It does not depend on the jobs,
// but for which seeds are still run when one was wrong.
int run_seeds(const Plan& plan);

}  // namespace krg::kddm_sim

// One run of random misfortune, decided by its seed.
#pragma once

#include <cstdint>
#include <string>

namespace krg::testing {

struct ChaosResult {
  bool good = false;
  std::string text;  // What was broken, and how the cluster looked.
  std::uint64_t trace = 0;
  std::uint64_t views = 0;
};

ChaosResult run_chaos(std::uint64_t seed);

}  // namespace krg::testing

// One run of the channels' simulation: random misfortune, and after each part of it a rest in which
// everything must have arrived.
#pragma once

#include <cstdint>
#include <string>

#include "krg/channel/options.h"

namespace krg::cluster_test {

struct ChannelChaosResult {
  std::string complaint;    // Empty: nothing was wrong.
  std::uint64_t trace = 0;  // Of the world.
  std::uint64_t views = 0;
  kddm::ChannelStats stats;  // Of all nodes that lived to the end.
};

ChannelChaosResult run_channel_chaos(std::uint64_t seed);

}  // namespace krg::cluster_test

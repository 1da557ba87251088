// What takes longer than a test may:
//   sim_hotplug_runs [--seeds FIRST-LAST]    runs of random misfortune; exit code 1 and the seed if
//                                            one breaks a rule
//   sim_hotplug_runs --times NODES           how long it takes until a node is out of the view
//   sim_hotplug_runs --loss NODES SECONDS    detectors under 1 % loss; exit code 1 if one is
//   expelled
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <string_view>
#include <vector>

#include "detector_world.h"
#include "hotplug_chaos.h"
#include "hotplug_world.h"
#include "krg/log/log.h"

namespace {

using Seconds = std::chrono::duration<double>;

bool number(std::string_view text, std::uint64_t& value) {
  const auto [end, bad] = std::from_chars(text.data(), text.data() + text.size(), value);
  return bad == std::errc() && end == text.data() + text.size();
}

bool range(std::string_view text, std::uint64_t& first, std::uint64_t& last) {
  const std::size_t dash = text.find('-');
  if (dash == std::string_view::npos) return number(text, first) && number(text, last);
  return number(text.substr(0, dash), first) && number(text.substr(dash + 1), last);
}

int run_seeds(std::uint64_t first, std::uint64_t last) {
  const auto begun = std::chrono::steady_clock::now();
  std::uint64_t bad = 0, views = 0, trace = 0;
  for (std::uint64_t seed = first; seed <= last && bad < 10; ++seed) {
    const krg::testing::ChaosResult result = krg::testing::run_chaos(seed);
    views += result.views;
    trace = trace * 31 + result.trace;
    if (result.good) continue;
    ++bad;
    fmt::print("seed {}: {}\n  replay: sim_hotplug_runs --seeds {}\n", seed, result.text, seed);
  }
  const Seconds took = std::chrono::steady_clock::now() - begun;
  fmt::print("seeds {}-{}: {} bad, {} views, trace {:016x}, {:.1f} s\n", first, last, bad, views,
             trace, took.count());
  return bad == 0 ? 0 : 1;
}

int run_loss(std::uint64_t nodes, std::uint64_t seconds) {
  const auto begun = std::chrono::steady_clock::now();
  krg::testing::DetectorWorld world(static_cast<std::uint32_t>(nodes), 1);
  world.set_loss(10);
  world.run_for(std::chrono::seconds(seconds));
  std::uint64_t sent = 0;
  for (std::uint32_t node = 0; node < nodes; ++node) sent += world.sent(node);
  const Seconds took = std::chrono::steady_clock::now() - begun;
  fmt::print("{} nodes, {} s, 1 % loss: {} expelled, {:.1f} datagrams a node a second, {:.1f} s\n",
             nodes, seconds, world.verdicts(),
             static_cast<double>(sent) / static_cast<double>(nodes * seconds), took.count());
  return world.verdicts() == 0 ? 0 : 1;
}

// Of ten seeds; -1: it never was, within ten seconds.
double longest(std::uint32_t nodes, bool coordinator, bool killed) {
  using krg::testing::HotplugWorld;
  double most = 0;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    krg::testing::HotplugWorldOptions options;
    options.seed = seed;
    options.nodes = nodes;
    HotplugWorld world(options);
    world.run_until([&] { return world.settled(); }, std::chrono::seconds(10));
    world.run_for(std::chrono::milliseconds(2000 + world.random().below(300)));
    const std::uint32_t leader = world.coordinator();
    if (leader >= nodes) return -1;
    const std::uint32_t victim = coordinator ? leader : (leader + nodes / 2) % nodes;
    const krg::TimePoint begun = world.now();
    if (killed) {
      world.kill(victim, false);
    } else {
      std::vector<unsigned> groups(nodes);
      groups[victim] = 1;
      world.partition(groups);
    }
    const krg::detector::Peer peer{krg::NodeId{victim}, krg::Incarnation{1}};
    if (!world.run_until([&] { return !world.newest().has_member(peer); },
                         std::chrono::seconds(10))) {
      return -1;
    }
    most = std::max(most, static_cast<double>((world.now() - begun).count()) / 1e6);
  }
  return most;
}

int run_times(std::uint64_t nodes) {
  const auto count = static_cast<std::uint32_t>(nodes);
  fmt::print(
      "{} nodes, longest of 10 seeds until out of the view: killed {:.1f} ms, coordinator "
      "killed {:.1f} ms, cut off {:.0f} ms, coordinator cut off {:.0f} ms\n",
      nodes, longest(count, false, true), longest(count, true, true), longest(count, false, false),
      longest(count, true, false));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string_view> args(argv + 1, argv + argc);
  std::uint64_t first = 1, last = 500;
  krg::log::set_level(krg::log::Level::error);
  if (args.empty()) return run_seeds(first, last);
  if (args.size() == 2 && args[0] == "--seeds" && range(args[1], first, last)) {
    return run_seeds(first, last);
  }
  if (args.size() == 2 && args[0] == "--times" && number(args[1], first) && first > 1 &&
      first <= 65535) {
    return run_times(first);
  }
  if (args.size() == 3 && args[0] == "--loss" && number(args[1], first) && number(args[2], last) &&
      first > 1 && first <= 65535 && last > 0) {
    return run_loss(first, last);
  }
  fmt::print(
      stderr,
      "usage: sim_hotplug_runs [--seeds FIRST-LAST | --times NODES | --loss NODES SECONDS]\n");
  return 2;
}

#include "hotplug_chaos.h"

#include <fmt/format.h>

#include <vector>

#include "hotplug_world.h"

namespace krg::testing {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

HotplugWorldOptions options_for(std::uint64_t seed) {
  sim::Random random(seed ^ 0x9e3779b97f4a7c15u);
  HotplugWorldOptions options;
  options.seed = seed;
  options.nodes = static_cast<std::uint32_t>(random.between(2, 8));
  options.spare = static_cast<std::uint32_t>(random.below(3));
  options.core.prepare_limit = seconds(2);
  options.core.drain_limit = seconds(3);
  options.core.fan_out = static_cast<unsigned>(random.between(1, 8));
  if (random.chance(200)) options.core.two_nodes = hotplug::TwoNodes::no_failover;
  if (random.chance(500)) options.refuse_per_mille = static_cast<unsigned>(random.below(100));
  if (random.chance(500)) options.hang_per_mille = static_cast<unsigned>(random.below(50));
  options.prepare_max = milliseconds(random.between(1, 800));
  return options;
}

class Chaos {
 public:
  explicit Chaos(std::uint64_t seed) : world_(options_for(seed)) {}

  ChaosResult run() {
    const TimePoint end = world_.now() + seconds(40);
    while (world_.now() < end && good()) {
      world_.run_for(milliseconds(random().between(1, 1800)));
      if (good()) misfortune();
    }
    calm();
    const bool rests = world_.run_until([&] { return at_rest(); }, seconds(60));
    ChaosResult result{good() && rests, world_.violation(), world_.trace(),
                       world_.newest().epoch.value};
    if (good() && !rests) {
      result.text = fmt::format("not at rest after a quiet minute; {} leaves have not ended",
                                world_.unfinished_leaves());
    }
    if (!result.good) result.text += "\n" + world_.describe();
    return result;
  }

 private:
  sim::Random& random() { return world_.random(); }
  bool good() const { return world_.violation().empty(); }
  std::uint32_t someone() { return static_cast<std::uint32_t>(random().below(world_.size())); }

  void misfortune() {
    const std::uint32_t node = someone();
    switch (random().below(12)) {
      case 0:
      case 1:
        return kill(node);
      case 2:
      case 3:
        return start(node);
      case 4:
        return split();
      case 5:
        return world_.heal();
      case 6:
        if (world_.alive(node)) world_.stop(node);
        return;
      case 7:
        if (world_.stopped(node)) world_.resume(node);
        return;
      case 8:
        return leave(node);
      case 9:
        world_.set_loss(random().chance(500) ? 0 : static_cast<unsigned>(random().below(200)));
        return;
      case 10:
        world_.set_slow(random().chance(500) ? 0 : static_cast<unsigned>(random().below(50)));
        return;
      default:
        if (world_.alive(node)) world_.false_alarm(node, someone());
        return;
    }
  }

  // A majority of voters that die together end the cluster, by design: not that.
  void kill(std::uint32_t node) {
    if (!world_.alive(node)) return;
    const bool counts = !world_.over(node);
    if (counts && !world_.may_lose(node)) return;
    world_.kill(node, random().chance(400));
    // Until the leader misses it, the leader may give up another voter.
    if (counts) world_.run_for(milliseconds(300));
  }
  void start(std::uint32_t node) {
    if (!world_.alive(node) || world_.over(node)) world_.start(node);
  }
  void split() {
    std::vector<unsigned> groups(world_.size());
    for (unsigned& group : groups) group = random().chance(500) ? 1 : 0;
    world_.partition(groups);
  }
  void leave(std::uint32_t node) {
    if (!world_.alive(node) || world_.over(node) || world_.newest().members().size() < 2) return;
    const std::uint32_t asker = random().chance(500) ? node : someone();
    if (world_.alive(asker) && !world_.over(asker)) world_.leave(asker, node);
  }
  void calm() {
    world_.heal();
    world_.set_loss(0);
    world_.set_slow(0);
    for (std::uint32_t node = 0; node < world_.size(); ++node) {
      if (world_.stopped(node)) world_.resume(node);
    }
  }
  // Whoever is down or over comes back, again if it is refused.
  bool at_rest() {
    for (std::uint32_t node = 0; node < world_.size(); ++node) {
      if (!world_.alive(node) || world_.over(node)) start(node);
    }
    return world_.settled() && world_.unfinished_leaves() == 0;
  }

  HotplugWorld world_;
};

}  // namespace

ChaosResult run_chaos(std::uint64_t seed) { return Chaos(seed).run(); }

}  // namespace krg::testing

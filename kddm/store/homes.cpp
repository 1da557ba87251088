#include "krg/store/homes.h"

#include <algorithm>

#include "krg/base/assert.h"

namespace krg::kddm {
namespace {

// The finaliser of SplitMix64: every bit of the input moves every bit of the output.
constexpr std::uint64_t mix(std::uint64_t x) noexcept {
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

constexpr std::uint64_t weight(std::uint32_t slot, NodeId node) noexcept {
  return mix(mix(std::uint64_t{slot} + 1) ^ (std::uint64_t{node.value} + 1) * 0x9e3779b97f4a7c15u);
}

// Whether `a` is before `b` in a slot's order of nodes; two weights may be equal.
bool better(std::uint32_t slot, NodeId a, NodeId b) noexcept {
  if (b == kNoNode) return true;
  const std::uint64_t wa = weight(slot, a);
  const std::uint64_t wb = weight(slot, b);
  return wa != wb ? wa > wb : a < b;
}

void offer(std::uint32_t slot, NodeId node, Homes& homes) noexcept {
  if (better(slot, node, homes.home)) {
    homes.heir = homes.home;
    homes.home = node;
  } else if (better(slot, node, homes.heir)) {
    homes.heir = node;
  }
}

}  // namespace

Homes homes_near(NodeId preferred, const cluster::NodeSet& members) noexcept {
  const std::size_t count = members.size();
  KRG_ASSERT(count > 0);
  const std::size_t at = members.index_of(preferred) % count;
  return {members.nth(at), count > 1 ? members.nth((at + 1) % count) : kNoNode};
}

HashRing::HashRing(const cluster::NodeSet& members) : members_(members), slots_(kSlots) {}

Homes HashRing::best_of(std::uint32_t slot) const noexcept {
  Homes homes;
  for (const NodeId node : members_) offer(slot, node, homes);
  return homes;
}

void HashRing::update(const cluster::NodeSet& members) {
  const cluster::NodeSet gone = members_ - members;
  const cluster::NodeSet come = members - members_;
  members_ = members;
  for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
    Homes& homes = slots_[slot];
    if (homes.home == kNoNode) continue;
    if (gone.contains(homes.home) || gone.contains(homes.heir) || homes.heir == kNoNode) {
      homes = {};
      continue;
    }
    for (const NodeId node : come) offer(slot, node, homes);
  }
}

Homes HashRing::slot(std::size_t index) const noexcept {
  Homes& homes = slots_[index];
  if (homes.home == kNoNode) homes = best_of(static_cast<std::uint32_t>(index));
  return homes;
}

Homes HashRing::homes(SetId set, ObjectId object) const noexcept {
  const std::uint64_t hash = mix(mix(set.value + 0x9e3779b97f4a7c15u) ^ object.value);
  return slot(hash & (kSlots - 1));
}

Homes homes_of(const SetOptions& options, SetId set, ObjectId object, const HashRing& ring,
               const cluster::NodeSet& members) noexcept {
  KRG_DASSERT(options.policy != HomePolicy::linker);
  if (options.policy == HomePolicy::fixed) return homes_near(options.home, members);
  if (options.policy == HomePolicy::round_robin) {
    return homes_near(options.nodes.nth(object.value % options.nodes.size()), members);
  }
  return ring.homes(set, object);
}

}  // namespace krg::kddm

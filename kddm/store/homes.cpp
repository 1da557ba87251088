#include "krg/store/homes.h"

#include <algorithm>
#include <bit>

#include "krg/base/assert.h"

namespace krg::kddm {
namespace {

constexpr std::size_t kSlotsMin = 1024;
constexpr std::size_t kSlotsPerNode = 16;

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

// The number of slots is of the first view: were it to follow the cluster, every object would move.
HashRing::HashRing(const cluster::NodeSet& members)
    : members_(members),
      slots_(std::max(kSlotsMin, std::bit_ceil(kSlotsPerNode * members.size()))) {
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) slots_[slot] = best_of(slot);
}

Homes HashRing::best_of(std::uint32_t slot) const noexcept {
  Homes homes;
  for (const NodeId node : members_) offer(slot, node, homes);
  return homes;
}

void HashRing::update(const cluster::NodeSet& members) {
  const cluster::NodeSet gone = members_ - members;
  const cluster::NodeSet come = members - members_;
  members_ = members;
  for (std::uint32_t slot = 0; slot < slots_.size(); ++slot) {
    Homes& homes = slots_[slot];
    if (gone.contains(homes.home) || gone.contains(homes.heir)) {
      homes = best_of(slot);
      continue;
    }
    for (const NodeId node : come) offer(slot, node, homes);
  }
}

Homes HashRing::homes(SetId set, ObjectId object) const noexcept {
  const std::uint64_t hash = mix(mix(set.value + 0x9e3779b97f4a7c15u) ^ object.value);
  return slots_[hash & (slots_.size() - 1)];
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

#include "krg/detector/rings.h"

#include <algorithm>
#include <utility>

#include "krg/base/assert.h"

namespace krg::detector {
namespace {

// The finishing steps of SplitMix64: every bit of the input moves half of the output's.
std::uint64_t mix(std::uint64_t x) noexcept {
  x += 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return x ^ (x >> 31);
}

std::uint64_t place_of(NodeId node, std::size_t ring) noexcept {
  return mix(mix(node.value) + ring);
}

void sort_unique(std::vector<NodeId>& nodes) {
  std::sort(nodes.begin(), nodes.end());
  nodes.erase(std::unique(nodes.begin(), nodes.end()), nodes.end());
}

}  // namespace

Rings::Rings(const cluster::View& view, std::size_t rings) : epoch_(view.epoch) {
  nodes_.reserve(view.members.size());
  incarnations_.reserve(view.members.size());
  for (const cluster::Member& member : view.members) {
    KRG_ASSERT(nodes_.empty() || nodes_.back() < member.node);
    nodes_.push_back(member.node);
    incarnations_.push_back(member.incarnation);
  }
  const auto count = static_cast<std::uint32_t>(nodes_.size());
  if (count <= rings + 1) return;  // Everybody watches everybody: no ring is needed.

  std::vector<std::pair<std::uint64_t, std::uint32_t>> places(count);
  rings_.resize(rings);
  for (std::size_t r = 0; r < rings; ++r) {
    // Equal hashes, if there ever are, stand by node id: the same on every node.
    for (std::uint32_t i = 0; i < count; ++i) places[i] = {place_of(nodes_[i], r), i};
    std::sort(places.begin(), places.end());
    rings_[r].order.resize(count);
    rings_[r].position.resize(count);
    for (std::uint32_t at = 0; at < count; ++at) {
      rings_[r].order[at] = places[at].second;
      rings_[r].position[places[at].second] = at;
    }
  }
}

std::uint32_t Rings::index_of(NodeId node) const noexcept {
  const auto found = std::lower_bound(nodes_.begin(), nodes_.end(), node);
  if (found == nodes_.end() || *found != node) return kNone;
  return static_cast<std::uint32_t>(found - nodes_.begin());
}

Incarnation Rings::incarnation(NodeId node) const noexcept {
  const std::uint32_t index = index_of(node);
  KRG_ASSERT(index != kNone);
  return incarnations_[index];
}

std::vector<NodeId> Rings::neighbours(NodeId node, bool successors) const {
  const std::uint32_t index = index_of(node);
  if (index == kNone) return {};
  std::vector<NodeId> found;
  if (rings_.empty()) {
    found = nodes_;
    std::erase(found, node);
    return found;
  }
  const std::size_t count = nodes_.size();
  found.reserve(rings_.size());
  for (const Ring& ring : rings_) {
    const std::size_t at = ring.position[index] + (successors ? 1 : count - 1);
    found.push_back(nodes_[ring.order[at % count]]);
  }
  sort_unique(found);
  return found;
}

}  // namespace krg::detector

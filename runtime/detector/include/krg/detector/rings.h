// detector/rings.h: who watches whom.
//
// Model    k rings; on ring r the members stand in the order of hash(node, r). A node is watched by
//          its k predecessors and watches its k successors, so both are at most k whatever the size
//          of the cluster. A pair that meets on several rings counts once. In a cluster of up to
//          k+1 members everybody watches everybody. A node that comes or goes changes only the
//          pairs beside it on each ring.
// Threads  immutable.
// Blocks   never.
// Source   Suresh et al., "Stable and consistent membership at scale with Rapid", USENIX ATC 2018
#pragma once

#include <cstdint>
#include <vector>

#include "krg/base/ids.h"
#include "krg/cluster/view.h"

namespace krg::detector {

inline constexpr std::size_t kRings = 10;

class Rings {
 public:
  // Cost  rings * n log n: 10 ms for 10,000 members, once per view.
  explicit Rings(const cluster::View& view, std::size_t rings = kRings);

  Epoch epoch() const noexcept { return epoch_; }
  std::size_t size() const noexcept { return nodes_.size(); }
  bool contains(NodeId node) const noexcept { return index_of(node) != kNone; }
  // Requires  contains(node).
  Incarnation incarnation(NodeId node) const noexcept;

  // Distinct, ascending, without `node`; at most the number of rings, or none for a stranger.
  // Cost      O(rings).
  std::vector<NodeId> observers(NodeId node) const { return neighbours(node, false); }
  std::vector<NodeId> subjects(NodeId node) const { return neighbours(node, true); }

 private:
  static constexpr std::uint32_t kNone = 0xffffffffu;

  struct Ring {
    std::vector<std::uint32_t> order;     // Indices of nodes_, in the order of their hashes.
    std::vector<std::uint32_t> position;  // Where each index stands in `order`.
  };

  std::uint32_t index_of(NodeId node) const noexcept;
  std::vector<NodeId> neighbours(NodeId node, bool successors) const;

  Epoch epoch_;
  std::vector<NodeId> nodes_;  // Ascending.
  std::vector<Incarnation> incarnations_;
  std::vector<Ring> rings_;
};

}  // namespace krg::detector

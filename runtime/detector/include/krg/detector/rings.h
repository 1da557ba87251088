// detector/rings.h: who watches whom.
//
// Model    k rings, each the members in another order by a hash of (ring, node); a node is watched
//          by its predecessor on each ring. The order of two members never depends on a third, so a
//          change of the view moves only about k edges per node that comes or goes. With at most
//          k + 1 members everybody watches everybody.
// Threads  immutable.
// Blocks   never. Cost: O(k n log n) to make, once per view; memory 8 k n bytes.
// Source   Suresh et al., "Stable and consistent membership at scale with Rapid", ATC 2018, 4.1
#pragma once

#include <cstdint>
#include <vector>

#include "krg/base/ids.h"

namespace krg::detector {

inline constexpr unsigned kRingsMax = 10;

class Rings {
 public:
  Rings() = default;
  // Requires  `members` ascending, without repetition; rings <= kRingsMax.
  explicit Rings(std::vector<NodeId> members, unsigned rings = kRingsMax);

  // Distinct, ascending; empty if `node` is no member. At most kRingsMax.
  std::vector<NodeId> observers_of(NodeId node) const;
  std::vector<NodeId> subjects_of(NodeId node) const;
  const std::vector<NodeId>& members() const noexcept { return members_; }

 private:
  std::vector<NodeId> around(NodeId node, const std::vector<std::uint32_t>& next) const;
  bool everybody() const noexcept { return members_.size() <= rings_ + 1; }

  std::vector<NodeId> members_;
  std::size_t rings_ = 0;
  // By ring, then by index of member: the index of its neighbour on that ring.
  std::vector<std::uint32_t> observer_, subject_;
};

}  // namespace krg::detector

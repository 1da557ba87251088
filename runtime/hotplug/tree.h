// The tree by which leases, views and prepares go: the coordinator is its root.
#pragma once

#include <vector>

#include "krg/base/ids.h"

namespace krg::hotplug {

class Tree {
 public:
  Tree() = default;
  // Requires  `members` ascending. A root that is no member is as none: the first member.
  Tree(std::vector<NodeId> members, NodeId root, unsigned fan_out);

  // kNoNode: `node` is the root, or no member.
  NodeId parent(NodeId node) const noexcept;
  std::vector<NodeId> children(NodeId node) const;
  const std::vector<NodeId>& order() const noexcept { return order_; }

 private:
  std::size_t index_of(NodeId node) const noexcept;

  std::vector<NodeId> order_;  // The root, then all others ascending.
  std::size_t fan_out_ = 1;
};

}  // namespace krg::hotplug

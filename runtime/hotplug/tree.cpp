#include "tree.h"

#include <algorithm>
#include <utility>

namespace krg::hotplug {

Tree::Tree(std::vector<NodeId> members, NodeId root, unsigned fan_out)
    : order_(std::move(members)), fan_out_(fan_out) {
  const auto at = std::lower_bound(order_.begin(), order_.end(), root);
  if (at != order_.end() && *at == root) std::rotate(order_.begin(), at, at + 1);
}

std::size_t Tree::index_of(NodeId node) const noexcept {
  if (order_.empty()) return 0;
  if (order_.front() == node) return 0;
  const auto at = std::lower_bound(order_.begin() + 1, order_.end(), node);
  return at != order_.end() && *at == node ? static_cast<std::size_t>(at - order_.begin())
                                           : order_.size();
}

NodeId Tree::parent(NodeId node) const noexcept {
  const std::size_t index = index_of(node);
  if (index == 0 || index >= order_.size()) return kNoNode;
  return order_[(index - 1) / fan_out_];
}

std::vector<NodeId> Tree::children(NodeId node) const {
  std::vector<NodeId> result;
  const std::size_t index = index_of(node);
  if (index >= order_.size()) return result;
  const std::size_t first = index * fan_out_ + 1;
  for (std::size_t i = first; i < std::min(first + fan_out_, order_.size()); ++i) {
    result.push_back(order_[i]);
  }
  return result;
}

}  // namespace krg::hotplug

#include "krg/detector/rings.h"

#include <algorithm>
#include <utility>

#include "krg/base/assert.h"

namespace krg::detector {
namespace {

// Mixes ring and node; the finaliser of splitmix64.
std::uint64_t place(std::size_t ring, NodeId node) noexcept {
  std::uint64_t z = (std::uint64_t{ring} + 1) * 0x9e3779b97f4a7c15u + node.value;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

}  // namespace

Rings::Rings(std::vector<NodeId> members, unsigned rings)
    : members_(std::move(members)), rings_(rings) {
  KRG_ASSERT(rings <= kRingsMax);
  if (everybody()) return;
  const std::size_t n = members_.size();
  observer_.resize(n * rings_);
  subject_.resize(n * rings_);
  std::vector<std::pair<std::uint64_t, std::uint32_t>> order(n);
  for (std::size_t ring = 0; ring < rings_; ++ring) {
    for (std::uint32_t i = 0; i < n; ++i) order[i] = {place(ring, members_[i]), i};
    std::sort(order.begin(), order.end());
    for (std::size_t at = 0; at < n; ++at) {
      const std::uint32_t watcher = order[at].second;
      const std::uint32_t watched = order[(at + 1) % n].second;
      subject_[ring * n + watcher] = watched;
      observer_[ring * n + watched] = watcher;
    }
  }
}

std::vector<NodeId> Rings::around(NodeId node, const std::vector<std::uint32_t>& next) const {
  std::vector<NodeId> result;
  const auto at = std::lower_bound(members_.begin(), members_.end(), node);
  if (at == members_.end() || *at != node) return result;
  if (everybody()) {
    result = members_;
    result.erase(result.begin() + (at - members_.begin()));
    return result;
  }
  const auto index = static_cast<std::size_t>(at - members_.begin());
  for (std::size_t ring = 0; ring < rings_; ++ring) {
    result.push_back(members_[next[ring * members_.size() + index]]);
  }
  std::sort(result.begin(), result.end());
  result.erase(std::unique(result.begin(), result.end()), result.end());
  return result;
}

std::vector<NodeId> Rings::observers_of(NodeId node) const { return around(node, observer_); }
std::vector<NodeId> Rings::subjects_of(NodeId node) const { return around(node, subject_); }

}  // namespace krg::detector

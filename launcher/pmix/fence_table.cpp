#include "fence_table.h"

#include <algorithm>

namespace krg::pmix {

Result<std::shared_ptr<FenceTable::Fence>> FenceTable::enter(NodeId from, FenceArrival arrival) {
  auto found = open_.find(arrival.tag);
  if (found == open_.end()) {
    if (open_.size() >= kOpenMax) return Error(Errc::limit_reached, "too many open fences");
    auto fence = std::make_shared<Fence>(reactor_);
    fence->nodes = arrival.nodes;
    fence->arrived.resize(arrival.nodes.size());
    fence->missing = arrival.nodes.size();
    found = open_.emplace(arrival.tag, std::move(fence)).first;
  }
  const std::shared_ptr<Fence> fence = found->second;
  const auto at = std::find(fence->nodes.begin(), fence->nodes.end(), from);
  const auto index = static_cast<std::size_t>(at - fence->nodes.begin());
  if (at == fence->nodes.end() || fence->nodes != arrival.nodes || fence->arrived[index]) {
    return Error(Errc::protocol_error, "a node arrives at a fence twice, or at another's")
        .with_peer(from);
  }
  fence->arrived[index] = std::move(arrival.blob);
  if (--fence->missing == 0) {
    fence->result.id = next_id();
    for (auto& blob : fence->arrived) fence->result.blobs.push_back(std::move(*blob));
    open_.erase(found);
    fence->over.set();
  }
  return fence;
}

Co<Result<FenceResult>> FenceTable::arrive(NodeId from, FenceArrival arrival, Deadline deadline) {
  KRG_CO_TRY_ASSIGN(const std::shared_ptr<Fence> fence, enter(from, std::move(arrival)));
  KRG_CO_TRY(co_await fence->over.wait(deadline));
  if (fence->error) co_return *fence->error;
  co_return fence->result;
}

void FenceTable::node_lost(NodeId node) {
  for (auto at = open_.begin(); at != open_.end();) {
    Fence& fence = *at->second;
    if (std::find(fence.nodes.begin(), fence.nodes.end(), node) == fence.nodes.end()) {
      ++at;
      continue;
    }
    fence.error = Error(Errc::peer_down, "a node of the fence is lost").with_peer(node);
    fence.over.set();
    at = open_.erase(at);
  }
}

}  // namespace krg::pmix

// rpc/options.h: what an Rpc is told when it is made, and what it tells of its peers.
//
// Model    values.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/rpc.md
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>

#include "krg/base/deadline.h"
#include "krg/error/error.h"
#include "krg/fabric/endpoint.h"
#include "krg/stats/registry.h"

namespace krg::rpc {

struct RpcOptions {
  fabric::Identity self;
  Duration connect_timeout = std::chrono::seconds(5);
  // Bulk data of one peer that may be on its way to us at once, long and short messages counted
  // apart; more waits at the sender. This much hides the latency of any wire; more only spreads
  // the data over buffers that have left the cache.
  std::size_t bulk_bytes_max = std::size_t{2} << 20;
  // Where every service is counted, as "rpc.SERVICE..."; it outlives the Rpc. nullptr = its own.
  stats::Registry* stats = nullptr;
};

// What a peer's connection did; called from a turn, after the calls to that peer have ended.
struct PeerEvents {
  std::function<void(const fabric::Identity&)> up;
  std::function<void(NodeId, Error, bool graceful)> down;
};

}  // namespace krg::rpc

// kddm/options.h: what a Kddm is told when it is made, and how an operation is to be made.
//
// Model    values.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Service"
#pragma once

#include <cstdint>
#include <functional>
#include <type_traits>

#include "krg/base/deadline.h"
#include "krg/base/ids.h"
#include "krg/error/result.h"
#include "krg/stats/registry.h"

namespace krg::kddm {

struct KddmOptions {
  NodeId self;
  // Whether this node may serve shared state now: membership's lease, of which NodeStore's
  // serve_until() must know too. None: it always may.
  std::function<Status()> serving;
  // Where operations are counted, as "kddm.*"; it outlives the Kddm.
  stats::Registry* stats = nullptr;
  // What the copies of this node may take, as allocated; 0: without a store no limit, else what the
  // store may.
  std::uint64_t limit_bytes = 0;
};

struct OpOptions {
  // When the operation gives up. A Deadline::never() needs a reason at the place of the call.
  Deadline deadline;
  bool try_only = false;  // Waits for no other request and no writer: would_block instead.
  bool no_touch = false;  // get, grab: what does not exist is not created: not_found instead.
  // grab: what does not exist is made of zeros, without the set's linker: the caller fills it.
  bool manual_touch = false;
  // With manual_touch, of a set of variable size: what is grabbed without bytes gets so many.
  std::uint64_t touch_bytes = 0;
};
// As rpc::CallOptions: it stands in co_await expressions.
static_assert(std::is_trivially_destructible_v<OpOptions>);

}  // namespace krg::kddm

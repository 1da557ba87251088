// pmix/exchange.h: how the process-management services of two nodes talk.
//
// Model    one primitive: ask a node's Service a question and await its answer. Fences, remote
// modex, names
//          and events are built on it here, so that whoever carries the bytes need not know them.
//          The carrier hands an arriving question to Service::answer().
// Threads  owned by the reactor's thread.
// Blocks   never; it suspends.
// Source   docs/design/pmi.md
#pragma once

#include <cstddef>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/base/ids.h"
#include "krg/error/result.h"
#include "krg/reactor/co.h"

namespace krg::pmix {

using Blob = std::vector<std::byte>;

class Exchange {
 public:
  virtual ~Exchange() = default;
  // Never called with the own node. A deadline of never() is real: the question is the arrival at a
  // fence, and its answer comes when the last rank has arrived there, be it hours later.
  //
  // Errors  timed_out; peer_down or unreachable, at once when the node is known to be lost; and
  // what
  //         answer() said.
  virtual Co<Result<Blob>> ask(NodeId node, Blob question, Deadline deadline) = 0;
};

// The exchange of a cluster of one node.
class LocalExchange final : public Exchange {
 public:
  Co<Result<Blob>> ask(NodeId node, Blob question, Deadline deadline) override;
};

}  // namespace krg::pmix

// kddm_protocol/node.h: one node's copy of one object.
//
// Model    at most one request to the home is pending per object and node; at most one demand of
//          the home is deferred while the copy is in use. A copy in use is not taken away.
// Threads  owned by one thread.
// Blocks   never: pure functions of their arguments.
// Source   Kerrighed kddm; docs/design/kddm.md, "Copy"
#pragma once

#include <cstdint>
#include <string_view>

#include "krg/kddm_protocol/message.h"

namespace krg::kddm_protocol {

// What a local user may ask. put ends what get or grab began.
enum class LocalOp : std::uint8_t { get, grab, put, remove, flush };
inline constexpr std::uint8_t kLocalOps = static_cast<std::uint8_t>(LocalOp::flush) + 1;

enum class Use : std::uint8_t { idle, reading, writing };

std::string_view name_of(LocalOp op) noexcept;
std::string_view name_of(Use use) noexcept;

struct Copy {
  CopyState state = CopyState::invalid;
  Use use = Use::idle;
  Request pending = Request::none;
  bool granted = false;   // The home's part of the pending request is here; acks may be missing.
  bool lent = false;      // ceded: by a flush. The heir may read, not write, until we let go.
  bool witness = false;   // Knows that the object exists.
  bool deferred = false;  // The four fields below wait for put.
  MessageType demand = MessageType::done;
  NodeId demand_from = kNoNode;
  NodeId demand_requester = kNoNode;
  NodeBits demand_set;
  NodeId heir = kNoNode;   // ceded: who got the bytes.
  NodeId giver = kNoNode;  // granted: who ceded the bytes and waits for `taken`.
  NodeBits expected;       // granted: who owes an ack.
  NodeBits acked;
  std::uint64_t version = 0;  // Stamp of the bytes; the caller's, carried along.

  bool usable() const noexcept {
    return state == CopyState::shared || state == CopyState::exclusive;
  }
  bool operator==(const Copy&) const = default;
};
static_assert(sizeof(Copy) <= 128);

// A local user's operation. It has ended if the step says `finished` (for put: if taken).
//
// Errors  invalid_argument  put of what is not in use.
Step node_op(Copy& copy, const Place& place, LocalOp op, Outbox& out);

// Takes a message to the node and appends what the node sends.
//
// Errors  protocol_error  the copy's state has no such message; the copy is unchanged.
Step node_step(Copy& copy, const Place& place, const Message& message, Outbox& out);

// The copy under a new view: reports to the object's home what is held and what is pending.
void node_view(Copy& copy, const Place& place, Outbox& out);

}  // namespace krg::kddm_protocol

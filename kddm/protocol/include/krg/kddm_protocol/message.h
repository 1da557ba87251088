// kddm_protocol/message.h: what nodes tell each other about one object.
//
// Model    a message concerns one object and one view. Per (sender, receiver, object) messages
//          arrive in order; between different pairs in any order.
// Threads  immutable values.
// Blocks   never.
// Source   docs/design/kddm.md, "Messages"
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "krg/base/ids.h"
#include "krg/error/error.h"
#include "krg/kddm_protocol/node_bits.h"

namespace krg::kddm_protocol {

enum class MessageType : std::uint8_t {
  // To the home.
  get_request,
  grab_request,
  remove_request,
  flush_request,
  done,
  report,
  settled,
  // From the home.
  forward_get,
  forward_grab,
  forward_flush,
  invalidate,
  remove,
  grant,
  create,
  nothing,
  lost,
  settle,
  // Between holders.
  data,
  hand_over,
  adopt,
  taken,
  witness,
  ack,
};
inline constexpr std::uint8_t kMessageTypes = static_cast<std::uint8_t>(MessageType::ack) + 1;

// What a node can ask of the home.
enum class Request : std::uint8_t { none, get, grab, remove, flush };
inline constexpr std::uint8_t kRequests = static_cast<std::uint8_t>(Request::flush) + 1;

// invalid: no copy; shared: may be read; exclusive: the only copy, may be written; ceded: the
// bytes are kept, unusable, until the node they were handed to says that it has them.
enum class CopyState : std::uint8_t { invalid, shared, exclusive, ceded };
inline constexpr std::uint8_t kCopyStates = static_cast<std::uint8_t>(CopyState::ceded) + 1;

std::string_view name_of(MessageType type) noexcept;
std::string_view name_of(Request request) noexcept;
std::string_view name_of(CopyState state) noexcept;

struct Message {
  MessageType type = MessageType::done;
  Request request = Request::none;      // report: what the sender still waits for.
  CopyState copy = CopyState::invalid;  // report, settle.
  bool witness = false;                 // report, settle.
  Epoch epoch;                          // The sender's view.
  NodeId from = kNoNode;
  NodeId to = kNoNode;
  NodeId requester = kNoNode;  // For whom the home acts; who gets the ack.
  NodeId heir = kNoNode;       // forward_flush, report: who may hold the bytes.
  NodeBits set;                // Who owes the requester an ack.
  std::uint64_t version = 0;   // Stamp of the bytes that go with the message.

  bool operator==(const Message&) const = default;
};
static_assert(sizeof(Message) <= 128);

// What a step sends, in order. The caller owns and reuses it, so that steps do not allocate.
using Outbox = std::vector<Message>;

// One object as one node sees it: the view's number and members, and the object's places in it.
struct Place {
  Epoch epoch;
  NodeBits members;
  NodeId self = kNoNode;
  NodeId home = kNoNode;     // Keeps the directory entry.
  NodeId witness = kNoNode;  // Knows, beside the home, that the object exists; kNoNode: alone.

  // Who must know that the object exists, so that one failure can not make it seem new.
  constexpr NodeBits witnesses() const { return NodeBits::of(home) | NodeBits::of(witness); }
};

// taken: the message had its effect; stale: of an earlier view, refused; early: of a later view,
// to be given again once that view is installed; busy: a local operation must wait for another;
// refused: see the error.
enum class Verdict : std::uint8_t { taken, stale, early, busy, refused };

// What a step did beside sending.
struct Step {
  Verdict verdict = Verdict::taken;
  Request finished = Request::none;  // The local operation that ended with this step.
  bool lost = false;                 // It ended because the object is lost.
  bool created = false;              // The object is new: the caller makes its first bytes now.
  bool flushed = false;              // A flush ended without a copy here; else it had to stay.
  Error error;                       // Of a refused message.
};

// Errors  protocol_error  `what` names the state and the message.
Step impossible(const char* what, NodeId from) noexcept;
// Whether the message belongs to the view of `place`: taken, stale or early.
Verdict check_epoch(const Message& message, const Place& place) noexcept;

}  // namespace krg::kddm_protocol

// protocol/message.h: what the nodes say to each other about one object.
//
// Model    16 messages between nodes and 9 inputs from the node itself, all of one shape. The
//          protocol needs this order and no other: messages about one object from one node to
//          another arrive in the order in which they were sent (rpc's keys give it). Messages of
//          different senders, to different receivers, or about different objects overtake each
//          other at will. A message to the own node takes part in the same order.
// Threads  values.
// Blocks   never.
// Source   docs/design/kddm.md, "Messages"
#pragma once

#include <cstdint>
#include <string_view>

#include "krg/base/ids.h"
#include "krg/error/error.h"

namespace krg::kddm {

enum class Kind : std::uint8_t {
  // To the object's home: five requests, the end of a step, and what a node holds in a new view.
  get,
  grab,
  flush,
  sync,
  remove,
  done,
  report,
  // To the heir, which is the home if the home dies: the object exists, or does no longer.
  note,
  // To a holder, from the home.
  fetch,    // Send your data to `node`.
  inval,    // Give up your copy; tell `node`, or the home if there is none.
  inquire,  // A new view: say what you hold.
  grant,    // You have what you asked for already (or: make it), once `count` acks are in.
  // To a holder, from the home or another holder.
  answer,  // You do not get it, or nothing is to be got.
  data,    // The bytes, good once `count` acks are in.
  ack,     // I have given up my copy.
  took,    // I have your data: the copy that you kept for safety is free.
  // From the node itself.
  op_get,
  op_grab,
  op_flush,
  op_sync,
  op_remove,
  op_put_read,
  op_put_write,
  op_filled,
  op_fill_failed,
};
inline constexpr Kind kFirstOp = Kind::op_get;
inline constexpr unsigned kKinds = static_cast<unsigned>(Kind::op_fill_failed) + 1;
constexpr bool is_op(Kind kind) noexcept { return kind >= kFirstOp; }

// What a node has of an object.
enum class Copy : std::uint8_t {
  none,
  filling,  // The first touch is running.
  spare,    // Data that nobody may look at: kept until others are known to have it.
  read,     // Equal to every other read copy.
  write,    // The only copy that is valid.
};

// How a request ended without a copy, or that it ended well.
enum class Answer : std::uint8_t { ok, absent, busy, lost, full, failed };

// Flags of a message.
enum Flag : std::uint16_t {
  kTry = 1,         // get, grab, fetch: no waiting for others. answer, done: a holder refused.
  kNoTouch = 2,     // get, grab: do not create what is absent.
  kForWrite = 4,    // fetch, data, grant
  kCreate = 8,      // grant: run the first touch. note: the creator says it.
  kPushed = 16,     // fetch, data, grant: nobody asked.
  kKeep = 32,       // inval: keep the bytes as a spare.
  kExists = 64,     // note, report: the object exists, whoever has it.
  kAgain = 128,     // remove: asked before, in an earlier view. report: it waits at the home.
  kNoFreeze = 256,  // op_get: a prefetch; bring it, hold nothing.
  kNoted = 512,     // done: the heir has taken note.
  kConfirm = 1024,  // answer: the home waits until R has said `done`.
  kTold = 2048,     // report: the home has asked for it.
  kManual = 4096    // grab, grant, filled: who grabs makes the first content, not the linker.
};

struct Message {
  Kind kind = Kind::get;
  Copy copy = Copy::none;      // done, report: what `node` has now.
  Answer status = Answer::ok;  // answer
  std::uint16_t flags = 0;     // Of Flag.
  NodeId from = kNoNode;       // Set from the connection, never from the bytes.
  NodeId node = kNoNode;       // Whom it is about.
  Epoch epoch{};               // The sender's view.
  std::uint32_t count = 0;     // grant, data: acks to wait for.
  std::uint32_t op = 0;        // Ops: the caller's number for it; never on the wire.
  std::uint64_t version = 0;   // data, report: grows with every write.

  bool has(Flag flag) const noexcept { return (flags & flag) != 0; }
  bool operator==(const Message&) const = default;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.kind, m.copy, m.status, m.flags, m.node, m.epoch, m.count, m.version);
  }
};

// Whether a decoded message may be given to a part: everything in range, and not an op.
bool is_sound(const Message& message) noexcept;

std::string_view name_of(Kind kind) noexcept;
std::string_view name_of(Copy copy) noexcept;
std::string_view name_of(Answer answer) noexcept;
// What a caller is told; Errc::ok for Answer::ok.
Errc to_errc(Answer answer) noexcept;

}  // namespace krg::kddm

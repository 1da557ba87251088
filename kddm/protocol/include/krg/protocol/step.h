// protocol/step.h: the coherence protocol of one object, as a function.
//
// Model    (place, part, input) -> (part, actions). No I/O, no clock, no thread. One writer or many
//          readers at a time; three hops at most between a request and its data; every view begins
//          with a report of what the survivors hold. What is assumed of the order of messages is
//          said in message.h.
// Threads  owned by one thread.
// Blocks   never. Cost: a table lookup and a few compares; no allocation unless a request waits
//          or `out` grows.
// Source   Lenoski, The DASH protocol, 1990 (acks to the requester); Li and Hudak, 1989;
//          Kerrighed kddm; docs/design/kddm.md
#pragma once

#include "krg/protocol/part.h"

namespace krg::kddm {

struct StepResult {
  Outcome outcome = Outcome::done;
  const char* why = nullptr;  // Of Outcome::impossible.
};

// Gives `in` to this node's part of the object and appends what is to be done to `out`, in order.
// Requires  is_sound(in) or an op; in.from is who sent it; an op's epoch is the place's, but that
//           of op_filled and op_fill_failed is of when the fill began.
StepResult step(const Place& place, Part& part, const Message& in, Actions& out);

// A new view has begun at this node: `place` is the part's place in it. What was under way in the
// old view is over; ops that wait ask again. A home that was at rest knows what the survivors hold,
// and goes on; one that was not asks them; a new one is told without asking.
// Requires  place.epoch is higher than before; the part of a node that joins is empty. With
//           before.asks_all, every member answers for each object by a report with kTold.
void change_view(const Place& place, const Before& before, Part& part, Actions& out);

// Leases of this node have ended otherwise than by an op: what waits for that is looked at again.
// The holder says who still uses the object.
void recheck(const Place& place, Part& part, Actions& out);

// The caller of an op that waits has given up. False: it does not wait here (any more).
bool cancel(Part& part, std::uint32_t op) noexcept;

// Whether nothing is known, held or waited for: the part need not be kept.
bool is_blank(const Part& part) noexcept;

// A part of an object that nobody has ever used.
Part blank_part(const Place& place) noexcept;

}  // namespace krg::kddm

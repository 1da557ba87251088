// kddm_protocol/home.h: the directory entry of one object, kept by its home.
//
// Model    the home serves one request at a time and is told by `done` when its effect is complete;
//          the others wait and are served in turn. After a view change it asks nobody: every member
//          reports what it holds, the home puts the entry together, settles what is left over, and
//          serves again.
// Threads  owned by one thread.
// Blocks   never: pure functions of their arguments.
// Source   DASH (Lenoski et al., ISCA 1990); Kerrighed kddm; docs/design/kddm.md, "Home"
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "krg/kddm_protocol/message.h"

namespace krg::kddm_protocol {

// absent: there is no such object; live: somebody holds it; lost: its only copy died; busy: a
// request is being served; rebuilding: reports are missing; settling: answers to them are.
enum class HomeState : std::uint8_t { absent, live, lost, busy, rebuilding, settling };
inline constexpr std::uint8_t kHomeStates = static_cast<std::uint8_t>(HomeState::settling) + 1;

// What `done` will mean: the requester has a read copy, is the only holder, has removed the object,
// has dropped its copy, or the heir holds it instead.
enum class Effect : std::uint8_t { none, share, own, vanish, drop, move };

std::string_view name_of(HomeState state) noexcept;

struct Entry {
  HomeState state = HomeState::absent;
  HomeState next = HomeState::absent;  // settling: what follows.
  Effect effect = Effect::none;        // busy.
  NodeId owner = kNoNode;              // live: the holder that serves others.
  NodeId requester = kNoNode;          // busy: who is served,
  NodeId closer = kNoNode;             // and who will say `done`.
  NodeId heir = kNoNode;               // busy with move; rebuilding: of the ceded copy.
  NodeId ceded = kNoNode;              // rebuilding: who keeps a ceded copy.
  NodeId turn = NodeId{kNodesMax};     // Who was served last.
  NodeBits copies;                     // Every holder, the owner too.
  NodeBits awaited;                    // rebuilding, settling: who has not answered.
  NodeBits witnesses;                  // rebuilding: who knows that the object exists.
  NodeBits urgent;                     // Removes begun in an earlier view: nothing may overtake.
  std::array<NodeBits, kRequests - 1> waiting;  // By request, from `get` on.

  bool operator==(const Entry&) const = default;
};
static_assert(sizeof(Entry) <= 128);

// Takes a message to the home and appends what the home sends.
//
// Cost    O(waiting requests that need no answer from others), else O(1).
// Errors  protocol_error  the entry's state has no such message; the entry is unchanged.
Step home_step(Entry& entry, const Place& place, const Message& message, Outbox& out);

// The entry under a new view. Every member will report; if `place.self` is not the home, the
// entry is empty and takes no message.
void home_view(Entry& entry, const Place& place);

}  // namespace krg::kddm_protocol

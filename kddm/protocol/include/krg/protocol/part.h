// protocol/part.h: one node's part of one object: as its holder, and as its home.
//
// Model    state and nothing else; rules.h changes it. Most parts use one half only: the service
//          keeps Holder and Home in tables of their own.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/kddm.md, "State"
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "krg/base/ids.h"
#include "krg/cluster/node_set.h"
#include "krg/protocol/copy_set.h"
#include "krg/protocol/message.h"

namespace krg::kddm {

// Where an object lives in the present view, the same on every node; computed from the view and
// the set's policy.
struct Place {
  Epoch epoch;
  NodeId self;
  NodeId home;
  NodeId heir = kNoNode;  // Who is home when the home is gone; none in a cluster of one.
  // Who will be home and heir when those that are about to leave are gone, as far as they are not
  // now; they know what the heir knows. The second is there only if the first is.
  std::array<NodeId, 2> next = {kNoNode, kNoNode};
  const cluster::NodeSet* members = nullptr;
  std::uint8_t copies = 1;     // How many nodes an acknowledged write is on.
  bool touch_at_home = false;  // The first touch runs at the home, not where it is first used.
  bool drained = false;        // This node leaves and has given all away: nothing is made here.
};

// What an object's place was in the view that this node comes from.
struct Before {
  bool follows = false;   // That was the view right before this one.
  NodeId home = kNoNode;  // As seen there; none if this node was in no view.
  // Heir and next there, as far as they are in the same life now.
  std::array<NodeId, 3> heirs = {kNoNode, kNoNode, kNoNode};
  bool new_home = false;  // The home of now was not in that view, or in another life.
  bool asks_all = false;  // This node asks all members for all that they hold.

  // Whether the home of now was it there, too.
  bool had_home(NodeId home_now) const noexcept { return follows && home == home_now; }
};

// The request that a holder waits for.
enum class Asks : std::uint8_t { nothing, get, grab, flush, sync, remove };

struct Holder {
  std::uint64_t version = 0;  // Of the data.
  std::uint32_t op = 0;       // Whose request is under way.
  std::uint32_t readers = 0;  // Read leases on this node.
  std::int32_t acks = 0;      // Received less announced; complete at 0 once `granted`.
  NodeId via = kNoNode;       // Who keeps a spare until we have taken over.
  Copy copy = Copy::none;
  Asks asks = Asks::nothing;
  bool writer = false;     // A write lease on this node.
  bool granted = false;    // The grab's data or grant is here; acks may be missing.
  bool contended = false;  // Something waits for a lease's end: no new leases before it.

  bool in_use() const noexcept { return writer || readers > 0; }
  bool operator==(const Holder&) const = default;
};
static_assert(sizeof(Holder) <= 128);

enum class HomeState : std::uint8_t {
  away,        // The home is another node.
  absent,      // No such object.
  idle,        // Somebody has it, nothing is under way.
  reading,     // Read copies are on their way; more may join.
  busy,        // One request is being served; the others wait.
  rebuilding,  // A new view: the members report what they hold.
  lost,        // It existed; no copy is left.
};

// What a busy home does.
enum class Phase : std::uint8_t {
  none,
  create,
  grab,
  share,
  flush,
  sync,
  remove,
  confirm,  // Removed; whoever asked for it has still to say that it knows.
  settle,
  asked  // While rebuilding: only reports that were asked for count.
};

struct Home {
  struct Request {
    NodeId node = kNoNode;
    NodeId dest = kNoNode;
    std::uint16_t flags = 0;
    Kind kind = Kind::get;
    bool operator==(const Request&) const = default;
  };

  HomeState state = HomeState::away;
  Phase phase = Phase::none;
  bool exclusive = false;     // copies is one node, which may write.
  bool barred = false;        // Somebody waits for the readers' end: no more may join.
  bool noted = false;         // At the home: the heir knows that it exists. Elsewhere: it exists.
  bool known = false;         // While rebuilding: somebody says that the object exists.
  bool told = false;          // Those of Place::next have been told that it exists.
  bool asleep = false;        // Some of `copies` are still kept unseen, as spares.
  std::uint16_t pending = 0;  // Steps under way whose `done` is to come.
  std::uint16_t missing = 0;  // Reports to come.
  NodeId owner = kNoNode;     // The copy that data is fetched from, unless the home has one.
  NodeId source = kNoNode;    // Whose data went to the last writer: the freshest spare.
  Request request;
  std::uint64_t version = 0;  // While rebuilding: the newest seen.
  CopySet copies;             // Read or write.
  CopySet spares;

  bool operator==(const Home&) const = default;
};
static_assert(sizeof(Home) == 104);

// What the caller is to do, in this order.
struct Action {
  enum class Do : std::uint8_t {
    send,     // `message` to node `to`; kind data takes the object's bytes with it.
    install,  // Take over the bytes of the message that was given.
    drop,     // Free the bytes.
    fill,     // Run the linker's first touch, or if `message.has(kManual)` make zeros; then give
              // op_filled (with kManual then, too) or op_fill_failed.
    lease,    // Op `message.op` has its lease: write if `message.has(kForWrite)`, else read.
    finish,   // Op `message.op` is over: message.status.
  };
  Do what = Do::send;
  NodeId to = kNoNode;
  Message message;
};
using Actions = std::vector<Action>;

struct Part {
  Holder holder;
  Home home;
  // What can not be dealt with yet, in order of arrival. Almost always null.
  std::unique_ptr<std::vector<Message>> waiting;
};

enum class Outcome : std::uint8_t {
  done,
  deferred,    // Kept in the part; dealt with later.
  stale,       // Of an earlier view: refused.
  early,       // Of a later view: give it again when the view is ours.
  impossible,  // A bug, here or at the sender: the input is dropped and has changed nothing.
};

std::string_view name_of(Asks asks) noexcept;
std::string_view name_of(HomeState state) noexcept;
std::string_view name_of(Phase phase) noexcept;
std::string_view name_of(Action::Do what) noexcept;

}  // namespace krg::kddm

// What the clients of one object have done and seen, and which failures they lived through.
//
// Instants are steps: a counter of the whole run that grows with everything that is recorded, so
// that no two are equal. A lease to write gives two operations: the grab, which has seen a value
// when the lease was given, and the put, which makes another one the object's.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace krg::kddm_sim {

using Step = std::uint64_t;
inline constexpr Step kNever = ~Step{0};

// What an object's bytes say. Every write has a value of its own; what a first touch makes is
// kZeros, whoever touches.
using Value = std::uint64_t;
inline constexpr Value kZeros = 0;
inline constexpr Value kAbsent = ~Value{0};
inline constexpr Value kLost = ~Value{0} - 1;
inline constexpr Value kNotTold = ~Value{0} - 2;  // Nobody could say.

// One life of a node, numbered through the run.
using LifeId = std::uint32_t;
inline constexpr LifeId kNobody = ~LifeId{0};

enum class OpKind : std::uint8_t { get, grab, put, remove, sync, flush };
// absent and lost: so it was answered. busy: refused without effect. unknown: it may take effect,
// or have done so, until `returned`, or not at all.
enum class Outcome : std::uint8_t { ok, absent, lost, busy, unknown };

struct Op {
  OpKind kind = OpKind::get;
  Outcome outcome = Outcome::unknown;
  LifeId life = kNobody;
  bool touch = false;     // get, grab: makes the object if there is none.
  bool repeated = false;  // It lived through a change of the view, and was asked for again.
  Value seen = kAbsent;   // get, grab: read at the lease. put: what it replaces.
  Value wrote = kAbsent;  // put
  Step invoked = 0;
  Step returned = kNever;  // get, grab: when the lease was given.
  Step ended = kNever;     // get, grab: when the lease was given back, or its node ended.
};

// Nodes that died or were excluded. Until the survivors have put together what is left, the object
// may fall back; afterwards it is what it is.
struct Failure {
  Step at = 0;
  Step until = kNever;
  // Those that failed, and those of the failures before it that had not been got over.
  std::vector<LifeId> lives;
  bool may_lose = false;    // Whatever the set's copies make up for.
  bool may_forget = false;  // With who knew that the object exists: absent instead of lost.
  bool may_age = false;  // Data that is older than what was acknowledged may be all that is left.
  Step settled = 0;      // When all was last put together, before.
};

// A node that leaves in order: from `at` on it gives all that it has to others, and has nothing any
// more; until it is known that it stays.
struct Left {
  Step at = 0;
  Step until = kNever;
  LifeId life = kNobody;
};

// From then on there were so many members.
struct Membership {
  Step at = 0;
  std::size_t members = 0;
  Step entered = kNever;  // Everywhere: until then some may act by the view before.
};

struct History {
  unsigned copies = 1;
  // First touches run at the object's home: others may use it before who has asked for it can.
  bool touched_at_home = false;
  // Nodes are full: they give copies up, and to others, whenever they like.
  bool copies_move = false;
  std::vector<Op> ops;
  std::vector<Failure> failures;
  std::vector<Membership> members;
  std::vector<Left> left;
};

std::string describe(Value value);
std::string describe(const Op& op);
std::string describe(const Failure& failure);
std::string describe(const History& history);

}  // namespace krg::kddm_sim

// What one object may do: the sequential specification that histories are held against.
//
// The object is absent, lost, or has a value. Beside the value stands its floor: the newest value
// of its ancestry that is acknowledged, by having been seen by another life than its writer's, or
// by a sync. All values above the floor are of one life, the owner. When that life fails the object
// may fall back to any value from there down to its floor, and no further; it may be lost if no
// life that surely held the value is left. What is acknowledged is on as many nodes as the set's
// copies say; when so many have failed since it was written, it may be lost, and what is older may
// be all that is left.
#pragma once

#include <map>
#include <vector>

#include "history.h"

namespace krg::kddm_sim {

struct State {
  Value value = kAbsent;
  Value floor = kAbsent;
  LifeId owner = kNobody;
  bool moved = false;  // It fell back: who has seen this value before need not hold it now.
  auto operator<=>(const State&) const = default;
};

class ObjectModel {
 public:
  // Requires  `history` outlives this; every value but kZeros is written once.
  explicit ObjectModel(const History& history);

  // What `op` may make of `state`, if it may happen there at all. An op of unknown outcome makes
  // what it makes if it takes effect.
  void apply(const Op& op, const State& state, std::vector<State>& out) const;
  void apply(const Failure& failure, const State& state, std::vector<State>& out) const;

  // Whether the op can matter to anybody else: one that failed without effect can not, nor one of
  // unknown outcome whose effect nobody has seen and nobody could miss.
  bool matters(const Op& op) const;

 private:
  struct Written {
    Value before = kAbsent;
    LifeId writer = kNobody;
    Step at = 0;
    bool seen = false;                // By any op.
    std::vector<const Op*> getters;   // That have seen it.
    std::vector<const Op*> grabbers;  // And who has put something in its place.
  };

  bool too_many(const Failure& failure, const State& state) const;
  LifeId maker(const Op& op) const;
  void see(const Op& op, const State& state, std::vector<State>& out) const;
  void fall_back(const Failure& failure, const State& state, std::vector<State>& out) const;
  bool surely_held(Value value, const Failure& failure) const;
  bool disturbed(const Written& written, LifeId holder, Step since, const Failure& failure) const;
  Value before(Value value) const;
  void mark_seen(Value value);

  const History& history_;
  std::map<Value, Written> written_;
  std::map<LifeId, Step> failed_;      // When.
  std::vector<const Op*> disturbers_;  // Ops that may have moved copies, seen by nobody.
};

}  // namespace krg::kddm_sim

#include "object_model.h"

#include <algorithm>

namespace krg::kddm_sim {
namespace {

bool is_value(Value value) { return value != kAbsent && value != kLost; }

bool has(const std::vector<LifeId>& lives, LifeId life) {
  return std::find(lives.begin(), lives.end(), life) != lives.end();
}

// Whether what nobody else has seen may have gone with those that failed.
bool gone_with(const Failure& failure, const State& state) {
  return state.owner == kNobody || has(failure.lives, state.owner);
}

}  // namespace

ObjectModel::ObjectModel(const History& history) : touched_at_home_(history.touched_at_home) {
  for (const Failure& failure : history.failures) {
    for (const LifeId life : failure.lives) failed_.emplace(life, failure.at);
  }
  for (const Op& op : history.ops) {
    if (op.kind != OpKind::put) continue;
    Written& written = written_[op.wrote];
    written.before = op.seen;
    written.writer = op.life;
    written.at = op.invoked;
  }
  for (const Op& op : history.ops) {
    if (is_value(op.seen)) {
      const auto of = written_.find(op.seen);
      if (of == written_.end()) continue;
      if (op.outcome == Outcome::ok) mark_seen(op.seen);
      if (op.kind == OpKind::get) of->second.getters.push_back(&op);
      if (op.kind == OpKind::grab || op.kind == OpKind::put) of->second.grabbers.push_back(&op);
      continue;
    }
    const bool moves = op.kind == OpKind::grab || op.kind == OpKind::remove;
    const bool moved = op.outcome == Outcome::unknown || op.kind == OpKind::remove;
    if ((moves && moved) || op.kind == OpKind::flush) disturbers_.push_back(&op);
  }
}

// What has been seen has happened, and so has what it was made from.
void ObjectModel::mark_seen(Value value) {
  for (auto at = written_.find(value); at != written_.end() && !at->second.seen;
       at = written_.find(at->second.before)) {
    at->second.seen = true;
  }
}

bool ObjectModel::matters(const Op& op) const {
  if (op.outcome == Outcome::busy || op.kind == OpKind::flush) return false;
  if (op.outcome != Outcome::unknown) return true;
  switch (op.kind) {
    case OpKind::get:
    case OpKind::grab:
      return op.touch;
    case OpKind::put:
      return written_.at(op.wrote).seen;
    case OpKind::remove:
      return true;
    case OpKind::sync:
    case OpKind::flush:
      return false;
  }
  return false;
}

Value ObjectModel::before(Value value) const {
  const auto at = written_.find(value);
  return at == written_.end() ? kAbsent : at->second.before;  // Of zeros: absent.
}

void ObjectModel::apply(const Op& op, const State& state, std::vector<State>& out) const {
  switch (op.kind) {
    case OpKind::get:
    case OpKind::grab:
      return see(op, state, out);
    case OpKind::put:
      if (state.value != op.seen) return;
      out.push_back({op.wrote, state.owner == op.life ? state.floor : op.seen, op.life, false});
      return;
    case OpKind::remove:
      if (op.outcome == Outcome::absent || (op.repeated && op.outcome == Outcome::ok)) {
        if (state.value == kAbsent) out.push_back(state);
      }
      if (op.outcome != Outcome::absent && state.value != kAbsent) out.push_back({});
      return;
    case OpKind::sync:
      if (op.outcome == Outcome::ok && is_value(state.value)) {
        out.push_back({state.value, state.value, state.owner, state.moved});
      }
      if (op.outcome == Outcome::absent && state.value == kAbsent) out.push_back(state);
      if (op.outcome == Outcome::lost && state.value == kLost) out.push_back(state);
      return;
    case OpKind::flush:
      return;
  }
}

// Who has first touched the object, for an op that then has not seen it so.
LifeId ObjectModel::maker(const Op& op) const { return touched_at_home_ ? kNobody : op.life; }

void ObjectModel::see(const Op& op, const State& state, std::vector<State>& out) const {
  const bool absent = state.value == kAbsent;
  const State created{kZeros, kAbsent, op.life, false};
  switch (op.outcome) {
    case Outcome::ok:
      if (state.value == op.seen) {
        out.push_back(state);
        if (state.owner == kNobody) {
          out.back().owner = op.life;  // It may be the one that made it.
        } else if (state.owner != op.life) {
          out.back().floor = op.seen;
        }
      } else if (absent && op.touch && op.seen == kZeros) {
        out.push_back(created);
      }
      return;
    case Outcome::absent:
      if (absent && !op.touch) out.push_back(state);
      return;
    case Outcome::lost:
      if (state.value == kLost) out.push_back(state);
      return;
    case Outcome::unknown:
      if (absent && op.touch) out.push_back({kZeros, kAbsent, maker(op), false});
      return;
    case Outcome::busy:
      return;
  }
}

void ObjectModel::apply(const Failure& failure, const State& state, std::vector<State>& out) const {
  out.push_back(state);
  if (!is_value(state.value)) return;
  fall_back(failure, state, out);
  // Of an object that nobody else has seen the home may know, and nobody may have the data.
  const bool unseen = state.floor == kAbsent && gone_with(failure, state);
  if (!failure.may_lose && !unseen) return;
  if (!state.moved && surely_held(state.value, failure)) return;
  out.push_back({kLost, kLost, kNobody, false});
  if (failure.may_forget) out.push_back({});
}

void ObjectModel::fall_back(const Failure& failure, const State& state,
                            std::vector<State>& out) const {
  Value value = state.value;
  const bool unseen = gone_with(failure, state);
  bool below = false;
  while (is_value(value)) {
    below = below || value == state.floor;
    if (below ? !failure.may_age : !unseen && !failure.may_age) return;
    value = before(value);
    State fallen{value, below ? value : state.floor, state.owner, true};
    if (value == kAbsent) fallen = {};
    out.push_back(fallen);
  }
}

// Zeros are not told apart, so of them nothing is sure.
bool ObjectModel::surely_held(Value value, const Failure& failure) const {
  const auto at = written_.find(value);
  if (at == written_.end()) return false;
  const Written& written = at->second;
  auto holds = [&](LifeId life, Step since) {
    const auto failed = failed_.find(life);
    const bool alive = failed == failed_.end() || failed->second > failure.until;
    return alive && since < failure.at && !disturbed(written, life, since, failure);
  };
  if (holds(written.writer, written.at)) return true;
  return std::any_of(written.getters.begin(), written.getters.end(), [&](const Op* op) {
    return op->returned < failure.at && holds(op->life, op->invoked);
  });
}

// Whether something may have taken the copy away that `holder` has had since then.
bool ObjectModel::disturbed(const Written& written, LifeId holder, Step since,
                            const Failure& failure) const {
  for (const Op* op : written.grabbers) {
    if (op->life != holder && op->invoked < failure.until && op->returned > since) return true;
  }
  return std::any_of(disturbers_.begin(), disturbers_.end(), [&](const Op* op) {
    if (op->kind == OpKind::flush && op->life != holder) return false;
    if (op->kind == OpKind::grab && op->life == holder) return false;
    return op->invoked < failure.until && op->returned > since;
  });
}

}  // namespace krg::kddm_sim

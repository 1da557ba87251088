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

ObjectModel::ObjectModel(const History& history) : history_(history) {
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
    const auto of = is_value(op.seen) ? written_.find(op.seen) : written_.end();
    if (of != written_.end()) {
      if (op.outcome == Outcome::ok) mark_seen(op.seen);
      if (op.kind == OpKind::get) of->second.getters.push_back(&op);
      if (op.kind == OpKind::grab || op.kind == OpKind::put) of->second.grabbers.push_back(&op);
    }
    // A grab that ended otherwise may have taken copies away on its way: in an earlier view, or
    // before readers of its own node made a try of it fail.
    const bool removes = op.kind == OpKind::remove && op.outcome != Outcome::busy;
    if (removes || op.kind == OpKind::grab || op.kind == OpKind::flush) disturbers_.push_back(&op);
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
LifeId ObjectModel::maker(const Op& op) const {
  return history_.touched_at_home ? kNobody : op.life;
}

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
  if (state.value == kLost && failure.may_forget) out.push_back({});
  if (!is_value(state.value)) return;
  fall_back(failure, state, out);
  // Of an object that nobody else has seen the home may know, and nobody may have the data.
  const bool unseen = state.floor == kAbsent && gone_with(failure, state);
  if (!failure.may_lose && !unseen && !too_many(failure, state)) return;
  if (!state.moved && surely_held(state.value, failure)) return;
  out.push_back({kLost, kLost, kNobody, false});
  if (failure.may_forget) out.push_back({});
}

// Whether as many have failed since the acknowledged value was written as it is copied to; or a
// removal that a new view has broken off has taken copies away, and no home has made others yet.
bool ObjectModel::too_many(const Failure& failure, const State& state) const {
  const bool broken_off = std::any_of(disturbers_.begin(), disturbers_.end(), [&](const Op* op) {
    return op->kind == OpKind::remove && op->invoked < failure.at && op->returned > failure.settled;
  });
  if (broken_off) return true;
  const auto at = written_.find(state.floor);
  const Step since = at == written_.end() ? 0 : at->second.at;
  std::size_t copies = history_.copies;
  for (std::size_t i = 0; i < history_.members.size(); ++i) {
    const Membership& from = history_.members[i];
    const bool over = i + 1 < history_.members.size() && history_.members[i + 1].entered < since;
    if (from.at <= failure.at && !over) copies = std::min(copies, from.members);
  }
  // Who had failed before, but was still a member, may have been given one of the copies.
  const auto failed = std::count_if(failed_.begin(), failed_.end(), [&](const auto& one) {
    return one.second <= failure.at && (one.second >= since || has(failure.lives, one.first));
  });
  return static_cast<std::size_t>(failed) >= copies;
}

void ObjectModel::fall_back(const Failure& failure, const State& state,
                            std::vector<State>& out) const {
  Value value = state.value;
  const bool unseen = gone_with(failure, state);
  // With one copy there is no older one: it goes before another sees what was made from it.
  const bool may_age = history_.copies > 1 && too_many(failure, state);
  bool below = false;
  while (is_value(value)) {
    below = below || value == state.floor;
    if (below ? !may_age : !unseen && !may_age) return;
    value = before(value);
    State fallen{value, below ? value : state.floor, state.owner, true};
    if (value == kAbsent) fallen = {};
    out.push_back(fallen);
  }
}

// Zeros are not told apart, so of them nothing is sure.
bool ObjectModel::surely_held(Value value, const Failure& failure) const {
  const auto at = written_.find(value);
  if (at == written_.end() || history_.copies_move) return false;
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
  // Who leaves gives its copy to another, which may be the one that fails: nobody has written down
  // which of the two was first.
  for (const Left& left : history_.left) {
    if (left.life == holder && left.at < failure.until && left.until > since) return true;
  }
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

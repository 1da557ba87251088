#include "linearize.h"

#include <fmt/format.h>

#include <algorithm>
#include <bitset>
#include <set>
#include <unordered_set>
#include <vector>

#include "object_model.h"

namespace krg::kddm_sim {
namespace {

constexpr std::size_t kSlots = 128;  // Operations under way at a time.
constexpr std::size_t kStatesMax = 3'000;
constexpr std::size_t kToldBefore = 12;  // Operations before a violation that are shown.

using Done = std::bitset<kSlots>;

// What may be the case: the object's state, and who of those under way has taken effect.
struct Case {
  State state;
  Done done;
  bool operator==(const Case&) const = default;
};

struct CaseHash {
  std::size_t operator()(const Case& c) const noexcept {
    std::size_t hash = std::hash<Done>{}(c.done);
    for (const std::uint64_t word :
         {c.state.value, c.state.floor, std::uint64_t{c.state.owner} << 1 | c.state.moved}) {
      hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
      hash ^= hash >> 29;
    }
    return hash;
  }
};
using Cases = std::unordered_set<Case, CaseHash>;

// An op or a failure, with the instants between which it takes effect.
struct Item {
  const Op* op = nullptr;
  const Failure* failure = nullptr;
  Step from = 0, to = kNever;
  bool must = true;
  std::size_t slot = kSlots;
};

class Linearizer {
 public:
  explicit Linearizer(const History& history) : history_(history), model_(history) {}

  Judgement run() {
    collect();
    cases_.insert(Case{});
    for (const Event& event : events_) {
      Item& item = items_[event.item];
      if (event.begins) {
        if (!begin(item)) return stop(Verdict::undecided, "too many operations under way");
        continue;
      }
      const bool possible = end(item);
      if (overflow_) return stop(Verdict::undecided, "too many states");
      if (!possible) return stop(Verdict::wrong, explain(item, event.at));
      most_ = std::max(most_, cases_.size());
    }
    return stop(Verdict::right, {});
  }

 private:
  struct Event {
    Step at;
    std::size_t item;
    bool begins;
  };

  void collect();
  void collect_first_steps();
  bool begin(Item& item);
  bool end(Item& item);
  void expand(const Case& from, const Item& target, Cases& out);
  bool has_twin(const Item& item, const Done& done) const;
  Case look(Case c) const;
  static bool only_looks(const Item& item, const State& before, const std::vector<State>& after);
  bool settles(const Item& target, const Case& at) const;
  void successors(const Item& item, const State& state, std::vector<State>& out) const;
  std::string explain(const Item& item, Step at) const;
  Judgement stop(Verdict verdict, std::string text) const {
    return {verdict, std::move(text), most_};
  }

  const History& history_;
  const ObjectModel model_;
  std::vector<Op> first_steps_;
  std::vector<Item> items_;
  std::vector<Event> events_;
  std::vector<Item*> pending_ = std::vector<Item*>(kSlots);
  std::size_t slots_used_ = 0;  // None above is taken.
  Cases cases_, before_;
  std::size_t most_ = 1;
  bool overflow_ = false;
};

// Ops of two steps, the first of which may come by itself: those that may have made the object at
// its home before they saw it otherwise.
void Linearizer::collect_first_steps() {
  for (const Op& op : history_.ops) {
    const bool takes = op.kind == OpKind::get || op.kind == OpKind::grab;
    const bool known = op.outcome != Outcome::unknown;
    const bool touches = takes && op.touch && history_.touched_at_home && known;
    if (!touches) continue;
    Op first = op;
    first.outcome = Outcome::unknown;
    first.seen = kAbsent;
    first_steps_.push_back(first);
  }
  for (const Op& op : first_steps_)
    items_.push_back({&op, nullptr, op.invoked, op.returned, false});
}

void Linearizer::collect() {
  collect_first_steps();
  for (const Op& op : history_.ops) {
    if (!model_.matters(op)) continue;
    // What has been seen has happened, whatever its own client knows.
    const bool must = op.outcome != Outcome::unknown || op.kind == OpKind::put;
    items_.push_back({&op, nullptr, op.invoked, op.returned, must});
  }
  for (const Failure& failure : history_.failures) {
    items_.push_back({nullptr, &failure, failure.at, failure.until});
  }
  for (std::size_t i = 0; i < items_.size(); ++i) {
    events_.push_back({items_[i].from, i, true});
    if (items_[i].to != kNever) events_.push_back({items_[i].to, i, false});
  }
  std::sort(events_.begin(), events_.end(), [](const Event& a, const Event& b) {
    return a.at != b.at ? a.at < b.at : a.begins && !b.begins;
  });
}

bool Linearizer::begin(Item& item) {
  std::size_t slot = 0;
  while (slot < slots_used_ && pending_[slot] != nullptr) ++slot;
  if (slot == kSlots) return false;
  slots_used_ = std::max(slots_used_, slot + 1);
  pending_[slot] = &item;
  item.slot = slot;
  return true;
}

// Keeps the cases in which the item has taken effect by now; false if there is none.
bool Linearizer::end(Item& item) {
  Cases after;
  for (const Case& c : cases_) {
    if (c.done.test(item.slot) || !item.must) {
      after.insert(c);
    } else {
      expand(c, item, after);
    }
  }
  if (!item.must) {  // In time, or never.
    for (const Case& c : cases_) {
      if (!c.done.test(item.slot)) expand(c, item, after);
    }
  }
  before_.swap(cases_);
  cases_.clear();
  for (Case c : after) {
    c.done.reset(item.slot);
    cases_.insert(c);
  }
  pending_[item.slot] = nullptr;
  return !cases_.empty();
}

void Linearizer::successors(const Item& item, const State& state, std::vector<State>& out) const {
  out.clear();
  if (item.op != nullptr) {
    model_.apply(*item.op, state, out);
  } else {
    model_.apply(*item.failure, state, out);
  }
}

// Whether the item may as well take effect at once, because nothing becomes impossible by that. So
// it is when it changes nothing here, and can not change anything elsewhere. It also is when it
// sees a value that is written once: it has to come before the object falls back from that value,
// and so has a say in that whenever it comes.
bool Linearizer::only_looks(const Item& item, const State& before,
                            const std::vector<State>& after) {
  if (item.op == nullptr || after.size() != 1) return false;
  const Op& op = *item.op;
  if (op.kind == OpKind::get || op.kind == OpKind::grab) {
    const bool once = op.outcome == Outcome::ok && op.seen != kZeros;
    return once || (after.front() == before && !op.touch);
  }
  return after.front() == before && !(op.kind == OpKind::remove && op.repeated);
}

// Whether the target, which is to take effect by now, changes nothing here, and what could change
// that is not under way.
bool Linearizer::settles(const Item& target, const Case& at) const {
  std::vector<State> after;
  successors(target, at.state, after);
  if (after.size() != 1 || !(after.front() == at.state)) return false;
  for (std::size_t slot = 0; slot < slots_used_; ++slot) {
    const Item* const item = pending_[slot];
    if (item == nullptr || at.done.test(slot)) continue;
    if (item->failure != nullptr || item->op->kind == OpKind::remove) return false;
  }
  return true;
}

Case Linearizer::look(Case c) const {
  std::vector<State> after;
  for (std::size_t slot = 0; slot < slots_used_; ++slot) {
    if (pending_[slot] == nullptr || c.done.test(slot)) continue;
    successors(*pending_[slot], c.state, after);
    if (!only_looks(*pending_[slot], c.state, after)) continue;
    c.state = after.front();
    c.done.set(slot);
  }
  return c;
}

// Whether another pending op of unknown outcome does the same, and can do so no longer than this.
bool Linearizer::has_twin(const Item& item, const Done& done) const {
  if (item.must || item.op == nullptr) return false;
  const bool removes = item.op->kind == OpKind::remove;
  for (std::size_t slot = 0; slot < slots_used_; ++slot) {
    const Item* const other = pending_[slot];
    if (other == nullptr || other == &item || other->must || done.test(slot)) continue;
    const bool other_removes = other->op->kind == OpKind::remove;
    const bool same_maker = history_.touched_at_home || other->op->life == item.op->life;
    const bool same = removes ? other_removes : !other_removes && same_maker;
    if (same && (other->to < item.to || (other->to == item.to && slot < item.slot))) return true;
  }
  return false;
}

// Every way to go on from here that ends with the target.
void Linearizer::expand(const Case& from, const Item& target, Cases& out) {
  Cases seen;
  std::vector<Case> todo{look(from)};
  std::vector<State> after;
  while (!todo.empty()) {
    const Case at = todo.back();
    todo.pop_back();
    if (!seen.insert(at).second) continue;
    if (seen.size() + out.size() > kStatesMax) overflow_ = true;
    if (overflow_) return;
    if (at.done.test(target.slot) || settles(target, at)) {
      out.insert(at);
      continue;
    }
    for (std::size_t slot = 0; slot < slots_used_; ++slot) {
      if (pending_[slot] == nullptr || at.done.test(slot)) continue;
      if (pending_[slot] != &target && has_twin(*pending_[slot], at.done)) continue;
      successors(*pending_[slot], at.state, after);
      Case next = at;
      next.done.set(slot);
      for (const State& state : after) {
        next.state = state;
        todo.push_back(look(next));
      }
    }
  }
}

std::string Linearizer::explain(const Item& item, Step at) const {
  std::string text =
      "can not be: " + (item.op != nullptr ? describe(*item.op) : describe(*item.failure));
  std::set<State> states;
  for (const Case& c : before_) states.insert(c.state);
  text += "\n  the object may have been";
  for (const State& state : states) {
    text += fmt::format(" {} (acknowledged: {})", describe(state.value), describe(state.floor));
  }
  std::vector<std::pair<Step, std::string>> told;
  for (const Op& op : history_.ops) {
    if (op.invoked < at) told.emplace_back(std::min(at, op.returned), describe(op));
  }
  for (const Failure& failure : history_.failures) {
    if (failure.at < at) told.emplace_back(std::min(at, failure.until), describe(failure));
  }
  std::stable_sort(told.begin(), told.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  const std::size_t under_way = static_cast<std::size_t>(
      std::count_if(told.begin(), told.end(), [&](const auto& one) { return one.first == at; }));
  const std::size_t shown = std::min(told.size(), under_way + kToldBefore);
  text += "\n  what was under way then, and what had ended before:";
  for (std::size_t i = told.size() - shown; i < told.size(); ++i) text += "\n    " + told[i].second;
  return text;
}

}  // namespace

Judgement linearize(const History& history) { return Linearizer(history).run(); }

}  // namespace krg::kddm_sim

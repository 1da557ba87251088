#include "brute_force.h"

#include <algorithm>
#include <vector>

#include "object_model.h"

namespace krg::kddm_sim {
namespace {

struct Item {
  const Op* op = nullptr;
  const Failure* failure = nullptr;
  Step from = 0, to = kNever;
  bool must = true;
  bool done = false;
};

class Force {
 public:
  explicit Force(const History& history) : model_(history) {
    for (const Op& op : history.ops) {
      if (op.outcome == Outcome::busy || op.kind == OpKind::flush) continue;
      items_.push_back({&op, nullptr, op.invoked, op.returned, op.outcome != Outcome::unknown});
    }
    for (const Failure& failure : history.failures) {
      items_.push_back({nullptr, &failure, failure.at, failure.until});
    }
  }

  // Whether what is left can be put in order from here; what had ended by then may not come any
  // more.
  bool possible(const State& state, Step latest_begin) {
    const bool all = std::all_of(items_.begin(), items_.end(),
                                 [](const Item& item) { return item.done || !item.must; });
    if (all) return true;
    for (Item& item : items_) {
      if (item.done || item.to < latest_begin || !may_be_next(item)) continue;
      std::vector<State> after;
      if (item.op != nullptr) {
        model_.apply(*item.op, state, after);
      } else {
        model_.apply(*item.failure, state, after);
      }
      item.done = true;
      for (const State& next : after) {
        if (possible(next, std::max(latest_begin, item.from))) return true;
      }
      item.done = false;
    }
    return false;
  }

 private:
  bool may_be_next(const Item& candidate) const {
    return std::all_of(items_.begin(), items_.end(), [&](const Item& item) {
      return item.done || !item.must || &item == &candidate || item.to > candidate.from;
    });
  }

  const ObjectModel model_;
  std::vector<Item> items_;
};

}  // namespace

bool linearizable_by_force(const History& history) { return Force(history).possible({}, 0); }

}  // namespace krg::kddm_sim

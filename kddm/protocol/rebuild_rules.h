// The home's rules in a new view: what the members hold is what there is.
//
// The newest data wins: who gave its data away kept a spare until the receiver had it, so nobody
// has seen anything newer than what survives. Nothing is dropped before there is enough of the
// newest.
#pragma once

#include <utility>

#include "home_rules.h"

namespace krg::kddm {

template <class Hooks>
Step HomeRules<Hooks>::rebuild() {
  if (in_.has(kAgain)) return Step::wait;  // Taken already: see let_forget().
  const bool asked = e_.phase == Phase::asked;
  if (asked && !in_.has(kTold)) return Step::done;
  if (!asked && in_.has(kTold)) return t_.impossible("a report that was not asked for");
  if (e_.missing == 0) return t_.impossible("a report more than there are members");
  const bool seen = !e_.copies.empty() && !e_.asleep;
  if (in_.copy == Copy::write && seen) {
    return t_.impossible("a writer beside another copy");
  }
  if (in_.copy == Copy::read && e_.exclusive) return t_.impossible("a reader beside a writer");
  --e_.missing;
  if (in_.has(kExists)) {
    e_.known = true;
    if (in_.from == t_.place.heir) {
      e_.noted = true;
    } else if (in_.from != t_.place.self && !is_next(in_.from)) {
      keep_report(in_);
    }
  }
  switch (in_.copy) {
    case Copy::write:
    case Copy::read:
      if (e_.asleep) {
        // There is better than spares: of those, only the newest may still be of use.
        drop_all(e_.spares);
        e_.spares = std::exchange(e_.copies, CopySet());
        e_.asleep = false;
      }
      e_.copies.insert(in_.from);
      e_.exclusive = in_.copy == Copy::write;
      if (e_.owner == kNoNode) e_.owner = in_.from;
      break;
    case Copy::spare:
      report_spare();
      break;
    case Copy::none:
    case Copy::filling:
      break;
  }
  resolve();
  return Step::done;
}

// As long as only spares are known, the newest are the copies, and the others are kept: should the
// newest die before there are enough of it, they are what is left.
template <class Hooks>
void HomeRules<Hooks>::report_spare() {
  const NodeId node = in_.from;
  const bool oldest_wins = Hooks::on(Mutant::oldest_spare_wins) && e_.version != 0;
  const bool newer = oldest_wins ? in_.version < e_.version : in_.version > e_.version;
  const bool equal = in_.version == e_.version;
  if (newer) e_.version = in_.version;
  if (e_.copies.empty() || e_.asleep) {
    if (newer) {
      e_.copies.for_each([&](NodeId older) { e_.spares.insert(older); });
      e_.copies.clear();
    }
    (newer || equal ? e_.copies : e_.spares).insert(node);
    e_.asleep = true;
  } else if (newer || equal) {
    if (newer) drop_all(e_.spares);
    if (newer) e_.spares.clear();
    e_.spares.insert(node);
  } else {
    ++e_.pending;
    inval(node, kNoNode, false);
  }
}

// Who knows that the object exists, and is neither home nor heir, nor next, is to know it until
// those do, and no longer. Its report waits here for that.
template <class Hooks>
void HomeRules<Hooks>::keep_report(Message report) {
  report.flags |= kAgain;
  auto& waiting = t_.part.waiting;
  if (!waiting) waiting = std::make_unique<std::vector<Message>>();
  waiting->push_back(report);
}

// Whether somebody had to be told to forget. A removal must not begin before they all have: were
// they asked in the next view, they would take what was removed for lost.
template <class Hooks>
bool HomeRules<Hooks>::let_forget() {
  auto& waiting = t_.part.waiting;
  if (!waiting) return false;
  std::erase_if(*waiting, [&](const Message& message) {
    if (message.kind != Kind::report) return false;
    ++e_.pending;
    t_.send(message.from, {.kind = Kind::note, .node = t_.place.self});
    return true;
  });
  if (waiting->empty()) waiting.reset();
  return e_.pending > 0;
}

template <class Hooks>
Step HomeRules<Hooks>::rebuilt() {
  if (const char* wrong = wrong_done()) return t_.impossible(wrong);
  --e_.pending;
  if (in_.has(kNoted)) e_.noted = true;
  resolve();
  return Step::done;
}

// The reporter has not been in the view before, and so could not know that the home is the same.
template <class Hooks>
Step HomeRules<Hooks>::known() {
  return in_.has(kTold) ? t_.impossible("a report more than were asked for") : Step::done;
}

// Nothing was under way, so what the survivors hold is what the directory says of them: nobody need
// report, but for spares that are to take the place of a writer that is gone.
template <class Hooks>
void HomeRules<Hooks>::keep(const Before& before) {
  if (e_.state == HomeState::absent) return;
  if (!Hooks::on(Mutant::kept_the_dead)) forget_the_gone();
  const NodeId heir = t_.place.heir;
  e_.noted = e_.noted && (before.heirs[0] == heir || Hooks::on(Mutant::untold_heir));
  e_.told = false;
  for (const NodeId node : before.heirs) {
    if (node == heir || is_next(node) || !t_.place.members->contains(node)) continue;
    keep_report({.kind = Kind::report, .from = node, .node = node, .epoch = t_.place.epoch});
  }
  e_.state = HomeState::rebuilding;
  e_.phase = Phase::asked;
  e_.known = true;
  if (e_.copies.empty() && !e_.spares.empty()) return ask_spares();
  resolve();
}

template <class Hooks>
void HomeRules<Hooks>::forget_the_gone() {
  CopySet gone;
  const auto look = [&](NodeId node) {
    if (!t_.place.members->contains(node)) gone.insert(node);
  };
  e_.copies.for_each(look);
  e_.spares.for_each(look);
  gone.for_each([&](NodeId node) { forget(node); });
}

template <class Hooks>
void HomeRules<Hooks>::ask_spares() {
  const CopySet spares = std::exchange(e_.spares, CopySet());
  e_.missing = static_cast<std::uint16_t>(spares.size());
  spares.for_each([&](NodeId node) { t_.send(node, {.kind = Kind::inquire}); });
}

// All have reported: the newest data is the object.
template <class Hooks>
void HomeRules<Hooks>::resolve() {
  if (e_.missing > 0 || e_.pending > 0) return;
  const bool data = !e_.copies.empty();
  if ((data || e_.known) && note(true)) return;
  if (let_forget()) return;
  e_.version = 0;
  const bool known = std::exchange(e_.known, false);
  if (!data) return rest(known ? HomeState::lost : HomeState::absent);
  e_.state = HomeState::busy;
  e_.phase = Phase::settle;
  if (e_.asleep) e_.owner = e_.copies.first();
  // A writer whose spares are gone: as long as it is alone, the next failure loses what was synced.
  const bool lone = e_.exclusive && e_.spares.empty() && t_.copies_wanted() > 1;
  if (lone && push_copy(kNoNode)) return;
  advance();
}

}  // namespace krg::kddm

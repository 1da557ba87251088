// The home's rules for its heir, who is to know of each object that it exists, and nothing else.
#pragma once

#include "home_rules.h"

namespace krg::kddm {

// Tells the heir, and those who are to follow when others have left, whoever does not know it yet.
// False: they all do.
template <class Hooks>
bool HomeRules<Hooks>::note(bool exists) {
  const auto tell = [&](NodeId node) {
    if (node == kNoNode) return;
    ++e_.pending;
    t_.send(node, {.kind = Kind::note,
                   .flags = static_cast<std::uint16_t>(exists ? kExists : 0),
                   .node = t_.place.self});
  };
  if (e_.noted != exists) tell(t_.place.heir);
  if (t_.place.next[0] != kNoNode && e_.told != exists) {
    e_.told = exists;
    if (Hooks::on(Mutant::secretive_leaver)) return e_.pending > 0;
    for (const NodeId node : t_.place.next) tell(node);
  }
  return e_.pending > 0;
}

template <class Hooks>
Step HomeRules<Hooks>::take_note() {
  const bool follows = t_.place.self == t_.place.heir || is_next(t_.place.self);
  if (!follows && in_.has(kExists)) return t_.impossible("note to a node that is not the heir");
  e_.noted = in_.has(kExists) && !Hooks::on(Mutant::forgetful_heir);
  Message done{.kind = Kind::done, .node = in_.node};
  if (in_.has(kCreate)) {
    done.copy = Copy::write;  // The creator's own done, by way of us.
  } else if (follows) {
    done.flags = kNoted;
  } else {
    done.node = t_.place.self;  // It has nothing of it any more.
  }
  t_.send(t_.place.home, done);
  return Step::done;
}

}  // namespace krg::kddm

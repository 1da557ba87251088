// The home's rules: it orders the requests for an object and knows who has it.
//
// Invariants when the state is idle: nothing about the object is under way; `copies` are the nodes
// that can read; `exclusive` says that its one member may write; `owner` is in `copies`. Shared:
// no spares, and as many copies as the set wants. Exclusive: at most one spare less than that, each
// as new as anything that others have seen. The heir has noted that the object exists.
#pragma once

#include "krg/protocol/table.h"
#include "mutants.h"
#include "turn.h"

namespace krg::kddm {

template <class Hooks>
class HomeRules {
 public:
  explicit HomeRules(const Turn& turn) noexcept : t_(turn), e_(turn.home()), in_(turn.in) {}

  Step create();
  Step say(Answer status);
  Step say_removed();
  Step lend();
  Step join();
  Step bar();
  Step queue();
  Step serve(Phase phase);
  Step lent();
  Step stepped();
  Step rebuild();
  Step rebuilt();
  Step known();
  Step take_note();

  // A new view in which the home is the same, and was at rest. Requires  `before` is of its place.
  void keep(const Before& before);

 private:
  void begin(const Home::Request& request);
  void start_read(NodeId node, std::uint16_t flags);
  void start_grab();
  void start_create();
  void advance();
  bool settle();
  bool wake_copies();
  const char* wrong_done() const noexcept;
  const char* wrong_change() const noexcept;
  void remove_step();
  void confirm(Answer status);
  void flush_step();
  void rest(HomeState state);
  bool push_copy(NodeId wanted);
  NodeId candidate(NodeId wanted) const;
  NodeId source() const noexcept;
  bool must_spread(NodeId node) const noexcept;
  void take_over(const Message& done);
  void forget(NodeId node);
  void inval(NodeId node, NodeId collector, bool keep);
  void drop_all(const CopySet& nodes);
  bool note(bool exists);
  bool is_next(NodeId node) const noexcept {
    return node != kNoNode && (node == t_.place.next[0] || node == t_.place.next[1]);
  }
  void resolve();
  void report_spare();
  void keep_report(Message report);
  void forget_the_gone();
  void ask_spares();
  bool let_forget();
  bool has_heir() const noexcept { return t_.place.heir != kNoNode; }

  const Turn& t_;
  Home& e_;
  const Message& in_;
};

// --- Requests -----------------------------------------------------------------------------------

template <class Hooks>
Step HomeRules<Hooks>::say(Answer status) {
  t_.answer(in_.from, status);
  return Step::done;
}

template <class Hooks>
Step HomeRules<Hooks>::queue() {
  // What was asked for before may have been done: to say `busy` could be a lie.
  const bool again = in_.kind == Kind::remove && in_.has(kAgain);
  if (again || !in_.has(kTry)) return Step::wait;
  return say(Answer::busy);
}

template <class Hooks>
Step HomeRules<Hooks>::bar() {
  if (Hooks::on(Mutant::grab_beside_readers) && in_.kind == Kind::grab) {
    e_.pending = 0;
    return serve(Phase::grab);
  }
  if (!in_.has(kTry)) e_.barred = true;
  return queue();
}

template <class Hooks>
Step HomeRules<Hooks>::join() {
  return e_.barred || must_spread(in_.from) ? bar() : lend();
}

// With three copies and more, what only the writer has is spread before others may see it; with
// two, the writer and the new holder are two already.
template <class Hooks>
bool HomeRules<Hooks>::must_spread(NodeId node) const noexcept {
  return e_.exclusive && t_.copies_wanted() > 2 && !e_.copies.contains(node);
}

template <class Hooks>
Step HomeRules<Hooks>::create() {
  if (in_.has(kNoTouch)) return say(Answer::absent);
  // The next view has another home; or the leave is given up, and what waits is looked at again.
  if (t_.place.drained && t_.place.touch_at_home) return queue();
  e_.state = HomeState::busy;
  e_.phase = Phase::create;
  e_.request = {in_.from, kNoNode, in_.flags, in_.kind};
  start_create();
  return Step::done;
}

template <class Hooks>
Step HomeRules<Hooks>::lend() {
  if (source() == kNoNode) return t_.impossible("nobody has what exists");
  begin({in_.from, kNoNode, in_.flags, in_.kind});
  return Step::done;
}

template <class Hooks>
Step HomeRules<Hooks>::serve(Phase phase) {
  if (phase != Phase::remove && source() == kNoNode) return t_.impossible("nobody has what exists");
  e_.state = HomeState::busy;
  e_.phase = phase;
  e_.request = {in_.from, in_.node, in_.flags, in_.kind};
  if (phase == Phase::grab) {
    begin(e_.request);
  } else {
    advance();
  }
  return Step::done;
}

// A get or grab of an object that exists.
template <class Hooks>
void HomeRules<Hooks>::begin(const Home::Request& request) {
  if (must_spread(request.node)) {
    e_.request = request;
    e_.state = HomeState::busy;
    e_.phase = Phase::share;
    advance();
  } else if (request.kind == Kind::get) {
    start_read(request.node, request.flags);
  } else {
    e_.request = request;
    e_.state = HomeState::busy;
    e_.phase = Phase::grab;
    start_grab();
  }
}

template <class Hooks>
void HomeRules<Hooks>::start_read(NodeId node, std::uint16_t flags) {
  e_.state = HomeState::reading;
  e_.phase = Phase::none;
  ++e_.pending;
  if (e_.copies.contains(node)) return t_.send(node, {.kind = Kind::grant});
  t_.send(source(),
          {.kind = Kind::fetch, .flags = static_cast<std::uint16_t>(flags & kTry), .node = node});
}

template <class Hooks>
void HomeRules<Hooks>::start_grab() {
  const NodeId to = e_.request.node;
  const bool upgrade = e_.copies.contains(to);
  const NodeId from = upgrade ? to : source();
  auto acks = e_.copies.size() - 1;
  if (Hooks::on(Mutant::upgrade_without_inval) && upgrade) acks = 0;
  bool skip = Hooks::on(Mutant::dropped_inval) && acks > 0;
  if (skip) --acks;
  e_.source = upgrade ? kNoNode : from;
  e_.pending = 1;
  if (upgrade) {
    t_.send(to, {.kind = Kind::grant, .flags = kForWrite, .count = acks});
    if (Hooks::on(Mutant::upgrade_without_inval)) return;
  } else {
    // To refuse when others give up their copies at the same time would lose those.
    const std::uint16_t attempt = acks == 0 ? e_.request.flags & kTry : 0;
    t_.send(from, {.kind = Kind::fetch,
                   .flags = static_cast<std::uint16_t>(kForWrite | attempt),
                   .node = to,
                   .count = acks});
  }
  const bool keep = t_.copies_wanted() > 1 && !Hooks::on(Mutant::no_spares);
  e_.copies.for_each([&](NodeId node) {
    if (node == from || node == to) return;
    if (skip) {
      skip = false;
      return;
    }
    inval(node, to, keep);
  });
}

template <class Hooks>
void HomeRules<Hooks>::start_create() {
  e_.pending = 1;
  const bool here = t_.place.touch_at_home && e_.request.node != t_.place.home;
  const auto flags =
      static_cast<std::uint16_t>(kCreate | (here ? kPushed : 0) | (e_.request.flags & kManual));
  t_.send(here ? t_.place.home : e_.request.node, {.kind = Kind::grant, .flags = flags});
}

// --- The end of a step --------------------------------------------------------------------------

template <class Hooks>
Step HomeRules<Hooks>::lent() {
  if (const char* wrong = wrong_change()) return t_.impossible(wrong);
  take_over(in_);
  if (--e_.pending == 0) advance();
  return Step::done;
}

template <class Hooks>
Step HomeRules<Hooks>::stepped() {
  if (const char* wrong = wrong_change()) return t_.impossible(wrong);
  --e_.pending;
  if (e_.phase == Phase::create && in_.copy != Copy::write && !in_.has(kNoted)) {
    const Home::Request request = e_.request;
    rest(HomeState::absent);
    if (in_.node != request.node) t_.answer(request.node, Answer::failed);
    return Step::done;
  }
  take_over(in_);
  if (e_.pending == 0) advance();
  return Step::done;
}

// Why this `done` can not be meant, or nullptr.
template <class Hooks>
const char* HomeRules<Hooks>::wrong_done() const noexcept {
  if (e_.pending == 0) return "done, but nothing is pending";
  return t_.place.members->contains(in_.node) ? nullptr : "done by a node that is no member";
}

// The same of a step: what exists has an owner, and keeps one until it is removed. Else the next
// request would be sent to nobody.
template <class Hooks>
const char* HomeRules<Hooks>::wrong_change() const noexcept {
  if (const char* wrong = wrong_done()) return wrong;
  const bool busy = e_.state == HomeState::busy;
  if (busy && (e_.phase == Phase::remove || e_.phase == Phase::confirm)) return nullptr;
  if (e_.copies.empty()) {
    if (!busy || e_.phase != Phase::create) return "done with what nobody has";
    const bool made_or_not = !in_.has(kNoted) && (in_.copy != Copy::write || !in_.has(kTry));
    return made_or_not ? nullptr : "done with what is not made yet";
  }
  const bool keeps = in_.has(kTry) || in_.has(kNoted) || in_.copy >= Copy::read;
  const bool only = e_.copies.size() == 1 && e_.copies.contains(in_.node);
  return only && !keeps ? "the only copy is given up" : nullptr;
}

// What `done` says that its node has now.
template <class Hooks>
void HomeRules<Hooks>::take_over(const Message& done) {
  if (done.has(kTry)) return;  // A holder refused; nothing has moved.
  if (done.has(kNoted)) {
    e_.noted = e_.phase != Phase::remove;
    return;
  }
  switch (done.copy) {
    case Copy::read:
      e_.spares.erase(done.node);
      if (!Hooks::on(Mutant::lost_member)) e_.copies.insert(done.node);
      e_.exclusive = false;
      if (!e_.copies.contains(e_.owner)) e_.owner = done.node;
      return;
    case Copy::write:
      if (e_.phase != Phase::grab && e_.phase != Phase::create) return;  // It could already.
      if (t_.copies_wanted() > 1) {
        e_.copies.for_each([&](NodeId node) { e_.spares.insert(node); });
        e_.spares.erase(done.node);
      }
      e_.copies.clear();
      e_.copies.insert(done.node);
      e_.exclusive = true;
      if (!Hooks::on(Mutant::stale_owner) || e_.owner == kNoNode) e_.owner = done.node;
      if (e_.phase == Phase::create) e_.noted = has_heir();
      return;
    case Copy::none:
    case Copy::filling:
    case Copy::spare:
      forget(done.node);
      return;
  }
}

template <class Hooks>
void HomeRules<Hooks>::forget(NodeId node) {
  e_.copies.erase(node);
  e_.spares.erase(node);
  if (e_.copies.empty()) e_.exclusive = false;
  if (node == e_.owner) e_.owner = e_.copies.empty() ? kNoNode : e_.copies.first();
}

// Nothing is pending: goes on with what the phase still needs, or comes to rest.
template <class Hooks>
void HomeRules<Hooks>::advance() {
  if (e_.phase == Phase::remove) return remove_step();
  if (e_.phase == Phase::confirm) return rest(HomeState::absent);
  if (e_.phase == Phase::create && note(true)) return;
  if (settle()) return;
  const Home::Request request = e_.request;
  switch (e_.phase) {
    case Phase::share:
      if (e_.exclusive && push_copy(kNoNode)) return;
      e_.state = HomeState::idle;
      return begin(request);
    case Phase::sync:
      if (e_.exclusive && t_.copies_wanted() > 1 && push_copy(kNoNode)) return;
      t_.answer(request.node, Answer::ok);
      return rest(HomeState::idle);
    case Phase::flush:
      return flush_step();
    case Phase::create:
      if (e_.copies.contains(request.node)) return rest(HomeState::idle);
      e_.state = HomeState::idle;  // Made at the home for another node.
      return begin(request);
    case Phase::none:
    case Phase::grab:
    case Phase::remove:
    case Phase::confirm:
    case Phase::settle:
    case Phase::asked:
      return rest(HomeState::idle);
  }
}

// Whether something had to be done to be in order.
template <class Hooks>
bool HomeRules<Hooks>::settle() {
  const unsigned wanted = t_.copies_wanted();
  if (e_.state == HomeState::reading) e_.phase = Phase::settle;
  e_.state = HomeState::busy;
  if (!e_.exclusive) {
    if (e_.copies.size() < wanted && push_copy(kNoNode)) return true;
    if (!e_.spares.empty() && !Hooks::on(Mutant::kept_stale_spare)) {
      drop_all(e_.spares);
      return true;
    }
    return wake_copies();
  }
  if (e_.spares.size() < wanted || Hooks::on(Mutant::kept_stale_spare)) return false;
  CopySet surplus = e_.spares;
  unsigned keep = wanted - 1;
  if (keep > 0 && surplus.contains(e_.source)) {
    surplus.erase(e_.source);
    --keep;
  }
  for (; keep > 0; --keep) surplus.erase(surplus.first());
  drop_all(surplus);
  return true;
}

// Lets the copies that were pushed to be kept unseen be read; those that can be are told in vain.
template <class Hooks>
bool HomeRules<Hooks>::wake_copies() {
  if (!e_.asleep) return false;
  e_.asleep = false;
  e_.pending = e_.copies.size();
  e_.copies.for_each([&](NodeId node) { t_.send(node, {.kind = Kind::grant, .flags = kPushed}); });
  return true;
}

template <class Hooks>
void HomeRules<Hooks>::remove_step() {
  // In this order: were a copy gone before a spare, a view change would bring back old data; were
  // it gone before the heir forgets, the object would be thought lost.
  if (note(false)) return;
  const bool spares = !e_.spares.empty();
  if (Hooks::on(Mutant::copies_before_spares) && !e_.copies.empty()) return drop_all(e_.copies);
  if (spares) return drop_all(e_.spares);
  if (!e_.copies.empty()) return drop_all(e_.copies);
  confirm(Answer::ok);
}

// Nobody may make the object anew before R knows that it is removed: R would ask again in a new
// view, and have that removed too.
template <class Hooks>
void HomeRules<Hooks>::confirm(Answer status) {
  if (Hooks::on(Mutant::unconfirmed_removal)) {
    t_.answer(e_.request.node, status);
    return rest(HomeState::absent);
  }
  e_.phase = Phase::confirm;
  e_.pending = 1;
  t_.answer(e_.request.node, status, kConfirm);
}

// A removal that was asked for before has been done then, or there was nothing to remove.
template <class Hooks>
Step HomeRules<Hooks>::say_removed() {
  if (!in_.has(kAgain)) return say(Answer::absent);
  e_.state = HomeState::busy;
  e_.request = {in_.from, kNoNode, in_.flags, in_.kind};
  confirm(Answer::absent);
  return Step::done;
}

template <class Hooks>
void HomeRules<Hooks>::flush_step() {
  const NodeId node = e_.request.node;
  if (!e_.copies.contains(node)) {
    t_.answer(node, Answer::ok);
    return rest(HomeState::idle);
  }
  if (!e_.exclusive && e_.copies.size() - 1 >= t_.copies_wanted()) {
    e_.pending = 1;
    return inval(node, kNoNode, false);
  }
  if (push_copy(e_.request.dest)) return;
  t_.answer(node, Answer::full);
  rest(HomeState::idle);
}

template <class Hooks>
void HomeRules<Hooks>::rest(HomeState state) {
  e_.state = state;
  e_.phase = Phase::none;
  e_.request = {};
  e_.source = kNoNode;
  if (state == HomeState::absent) e_.owner = kNoNode;
  if (!Hooks::on(Mutant::lost_wake_up)) t_.wake = true;
}

// --- Means --------------------------------------------------------------------------------------

template <class Hooks>
NodeId HomeRules<Hooks>::source() const noexcept {
  return e_.copies.contains(t_.place.home) && !e_.asleep ? t_.place.home : e_.owner;
}

// A node that could take a copy: the one wanted, else one with a spare, else the next after home.
template <class Hooks>
NodeId HomeRules<Hooks>::candidate(NodeId wanted) const {
  const cluster::NodeSet& members = *t_.place.members;
  if (wanted != kNoNode && members.contains(wanted) && !e_.copies.contains(wanted)) return wanted;
  if (!e_.spares.empty()) return e_.spares.first();
  const std::size_t count = members.size();
  const std::size_t begin = members.index_of(t_.place.home);
  for (std::size_t i = 0; i < count; ++i) {
    const NodeId node = members.nth((begin + i) % count);
    if (!e_.copies.contains(node)) return node;
  }
  return kNoNode;
}

template <class Hooks>
bool HomeRules<Hooks>::push_copy(NodeId wanted) {
  const NodeId node = candidate(wanted);
  if (node == kNoNode) return false;
  e_.pending = 1;
  // Nobody may look before there are enough: what was seen must not be lost.
  const bool keep = e_.copies.size() + 1 < t_.copies_wanted() && !Hooks::on(Mutant::seen_too_early);
  e_.asleep = e_.asleep || keep;
  t_.send(source(), {.kind = Kind::fetch,
                     .flags = static_cast<std::uint16_t>(kPushed | (keep ? kKeep : 0)),
                     .node = node});
  return true;
}

template <class Hooks>
void HomeRules<Hooks>::inval(NodeId node, NodeId collector, bool keep) {
  t_.send(node, {.kind = Kind::inval,
                 .flags = static_cast<std::uint16_t>(keep ? kKeep : 0),
                 .node = collector});
}

template <class Hooks>
void HomeRules<Hooks>::drop_all(const CopySet& nodes) {
  e_.pending += nodes.size();
  nodes.for_each([&](NodeId node) { inval(node, kNoNode, false); });
}

}  // namespace krg::kddm

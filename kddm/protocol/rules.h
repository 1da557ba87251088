// The protocol: looks the rule up, applies it, and looks again at what waits.
//
// A template over the seeded bugs, so that the product and the tests of the tests are one source.
#pragma once

#include <algorithm>
#include <utility>

#include "heir_rules.h"
#include "holder_rules.h"
#include "home_rules.h"
#include "rebuild_rules.h"

namespace krg::kddm {

template <class Hooks>
class Protocol {
 public:
  static Outcome step(const Place& place, Part& part, const Message& in, Actions& out,
                      const char*& why);
  static void change_view(const Place& place, const Before& before, Part& part, Actions& out);
  static void recheck(const Place& place, Part& part, Actions& out) {
    const char* why = nullptr;
    look_again(place, part, out, why);
  }

 private:
  static Step apply(const Turn& turn);
  static Step apply_home(const Turn& turn, Rule rule);
  static Step apply_holder(const Turn& turn, Rule rule);
  static bool look_again(const Place& place, Part& part, Actions& out, const char*& why);
  static void wait(Part& part, const Message& message);
  static void ask_first_what_was_asked(Part& part);
  static bool exists(const Home& home) noexcept;
  static bool rests(const Home& home) noexcept;
  static void reset(Holder& holder, Actions& out);
  static void reset(Home& home, const Place& place, bool known);
  static void forget_messages(Part& part);
};

template <class Hooks>
Outcome Protocol<Hooks>::step(const Place& place, Part& part, const Message& in, Actions& out,
                              const char*& why) {
  if (in.epoch > place.epoch) return Outcome::early;
  if (in.epoch < place.epoch && !Hooks::on(Mutant::skipped_epoch_test)) return Outcome::stale;
  bool wake = false;
  const Step step = apply({place, part, in, out, wake, why});
  if (step == Step::impossible) return Outcome::impossible;
  if (step == Step::wait) wait(part, in);
  if (wake && !look_again(place, part, out, why)) return Outcome::impossible;
  return step == Step::wait ? Outcome::deferred : Outcome::done;
}

template <class Hooks>
Step Protocol<Hooks>::apply(const Turn& turn) {
  const Rule rule = rule_for(turn.part, turn.in.kind);
  if (rule == Rule::impossible) return turn.impossible("no rule for this input in this state");
  return role_of(turn.in.kind) == Role::home ? apply_home(turn, rule) : apply_holder(turn, rule);
}

template <class Hooks>
Step Protocol<Hooks>::apply_home(const Turn& turn, Rule rule) {
  HomeRules<Hooks> rules(turn);
  switch (rule) {
    case Rule::create:
      return rules.create();
    case Rule::say_absent:
      return rules.say(Answer::absent);
    case Rule::say_removed:
      return rules.say_removed();
    case Rule::say_gone:
      return rules.say(Answer::ok);
    case Rule::say_lost:
      return rules.say(Answer::lost);
    case Rule::lend:
      return rules.lend();
    case Rule::join:
      return rules.join();
    case Rule::bar:
      return rules.bar();
    case Rule::queue:
      return rules.queue();
    case Rule::serve_grab:
      return rules.serve(Phase::grab);
    case Rule::serve_flush:
      return rules.serve(Phase::flush);
    case Rule::serve_sync:
      return rules.serve(Phase::sync);
    case Rule::serve_remove:
      return rules.serve(Phase::remove);
    case Rule::lent:
      return rules.lent();
    case Rule::stepped:
      return rules.stepped();
    case Rule::rebuild:
      return rules.rebuild();
    case Rule::rebuilt:
      return rules.rebuilt();
    case Rule::known:
      return rules.known();
    case Rule::take_note:
      return rules.take_note();
    default:
      return turn.impossible("not a rule of the home");
  }
}

template <class Hooks>
Step Protocol<Hooks>::apply_holder(const Turn& turn, Rule rule) {
  HolderRules<Hooks> rules(turn);
  switch (rule) {
    case Rule::send_copy:
      return rules.send_copy();
    case Rule::give_up:
      return rules.give_up();
    case Rule::release:
      return rules.release();
    case Rule::tell:
      return rules.tell();
    case Rule::take_push:
      return rules.take_push();
    case Rule::take_read:
      return rules.take_read();
    case Rule::take_write:
      return rules.take_write();
    case Rule::count_ack:
      return rules.count_ack();
    case Rule::close:
      return rules.close();
    case Rule::ask:
      return rules.ask();
    case Rule::wait:
      return Step::wait;
    case Rule::nothing_here:
      return rules.nothing_here();
    case Rule::lease_read:
      return rules.lease_read();
    case Rule::lease_write:
      return rules.lease_write();
    case Rule::end_read:
      return rules.end_read();
    case Rule::end_write:
      return rules.end_write();
    case Rule::filled:
      return rules.filled();
    case Rule::unfilled:
      return rules.unfilled();
    default:
      return turn.impossible("not a rule of a holder");
  }
}

// Gives what waits once more, in order of arrival, until nothing more comes of it.
template <class Hooks>
bool Protocol<Hooks>::look_again(const Place& place, Part& part, Actions& out, const char*& why) {
  bool all_possible = true;
  for (bool wake = true; wake;) {
    wake = false;
    part.home.barred = false;  // Whoever still waits for the readers says so again.
    part.holder.contended = false;
    if (!part.waiting) break;
    const std::vector<Message> waiting = std::exchange(*part.waiting, {});
    for (const Message& message : waiting) {
      const Step step = apply({place, part, message, out, wake, why});
      if (step == Step::impossible) all_possible = false;  // Dropped; the others are not.
      if (step == Step::wait) wait(part, message);
    }
    if (part.waiting->empty()) part.waiting.reset();
  }
  return all_possible;
}

template <class Hooks>
void Protocol<Hooks>::wait(Part& part, const Message& message) {
  if (!part.waiting) part.waiting = std::make_unique<std::vector<Message>>();
  auto& waiting = *part.waiting;
  // A removal that was asked for before may have been done then: nobody may make the object anew
  // before it has its answer.
  const bool first = message.kind == Kind::remove && message.has(kAgain);
  waiting.insert(first ? waiting.begin() : waiting.end(), message);
}

// Whether this node knows, as home or as heir, that the object exists.
template <class Hooks>
bool Protocol<Hooks>::exists(const Home& home) noexcept {
  switch (home.state) {
    case HomeState::away:
      return home.noted;
    case HomeState::absent:
      return false;
    case HomeState::idle:
    case HomeState::reading:
    case HomeState::lost:
      return true;
    case HomeState::rebuilding:
      return home.known || home.noted || !home.copies.empty();
    case HomeState::busy:
      // A removal counts as done from when the heir has forgotten: only then do copies go.
      if (home.phase == Phase::remove) return home.noted;
      return home.phase != Phase::create && home.phase != Phase::confirm;
  }
  return false;
}

// The op whose request was under way asks first: if it is a removal, it may have been done.
template <class Hooks>
void Protocol<Hooks>::ask_first_what_was_asked(Part& part) {
  auto& waiting = *part.waiting;
  if (part.holder.asks == Asks::nothing) return;
  const auto asked = std::find_if(waiting.begin(), waiting.end(), [&](const Message& m) {
    return is_op(m.kind) && m.op == part.holder.op;
  });
  if (asked != waiting.end()) std::rotate(waiting.begin(), asked, asked + 1);
}

// Whether the home knows what everybody holds.
template <class Hooks>
bool Protocol<Hooks>::rests(const Home& home) noexcept {
  return home.state == HomeState::idle || home.state == HomeState::lost ||
         home.state == HomeState::absent;
}

template <class Hooks>
void Protocol<Hooks>::reset(Holder& holder, Actions& out) {
  if (holder.copy == Copy::filling) {
    holder.copy = Copy::none;
    out.push_back({Action::Do::drop, kNoNode, {}});
  }
  holder.asks = Asks::nothing;
  holder.op = 0;
  holder.acks = 0;
  holder.via = kNoNode;
  holder.granted = false;
}

template <class Hooks>
void Protocol<Hooks>::reset(Home& home, const Place& place, bool known) {
  home = Home{};
  if (place.self == place.home) {
    home.state = HomeState::rebuilding;
    home.missing = static_cast<std::uint16_t>(place.members->size());
    home.known = known;  // Now: the next view may come before our own report.
  } else {
    home.noted = known && !Hooks::on(Mutant::hasty_forgetting);
  }
}

template <class Hooks>
void Protocol<Hooks>::forget_messages(Part& part) {
  if (part.waiting && !Hooks::on(Mutant::queue_survives_view)) {
    std::erase_if(*part.waiting, [](const Message& m) { return !is_op(m.kind); });
  }
  if (part.waiting) {
    for (Message& op : *part.waiting) op.flags |= kAgain;
  }
}

template <class Hooks>
void Protocol<Hooks>::change_view(const Place& place, const Before& before, Part& part,
                                  Actions& out) {
  const bool here = place.self == place.home;
  const bool same = before.had_home(place.home);
  const bool keeps = here && same && !before.asks_all && rests(part.home);
  const bool asks = here && !keeps && (same || !before.follows || before.asks_all);
  const bool tells = here ? !keeps : !same && !before.new_home;

  if (part.waiting) ask_first_what_was_asked(part);
  reset(part.holder, out);
  forget_messages(part);
  Message report{.kind = Kind::report,
                 .copy = part.holder.copy,
                 .from = place.self,
                 .node = place.self,
                 .epoch = place.epoch,
                 .version = part.holder.version};
  bool wake = false;
  const char* why = nullptr;
  if (keeps) {
    HomeRules<Hooks>({place, part, report, out, wake, why}).keep(before);
  } else {
    const bool known = exists(part.home);
    if (known) report.flags = kExists;
    if (asks) report.flags |= kTold;
    reset(part.home, place, known);
    if (asks) part.home.phase = Phase::asked;
  }
  look_again(place, part, out, why);
  // Behind the requests: when the home has all reports, it has all removals that were asked for.
  if (tells) out.push_back({Action::Do::send, place.home, report});
  if (!asks || before.asks_all) return;
  const Message inquiry{.kind = Kind::inquire, .from = place.self, .epoch = place.epoch};
  for (const NodeId member : *place.members) {
    if (member != place.self) out.push_back({Action::Do::send, member, inquiry});
  }
}

}  // namespace krg::kddm

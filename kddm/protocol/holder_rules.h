// A holder's rules: what a node does with its copy, for others and for its own tasks.
//
// Invariants. A copy is given up or made weaker only on the home's command, and never under a lease
// that forbids it. Data that was given away for writing stays as a spare until the receiver has
// taken over, so a view change in between loses nothing.
#pragma once

#include "krg/protocol/table.h"
#include "mutants.h"
#include "turn.h"

namespace krg::kddm {

template <class Hooks>
class HolderRules {
 public:
  explicit HolderRules(const Turn& turn) noexcept : t_(turn), h_(turn.holder()), in_(turn.in) {}

  Step send_copy();
  Step give_up();
  Step release();
  Step tell();
  Step take_push();
  Step take_read();
  Step take_write();
  Step count_ack();
  Step close();
  Step ask();
  Step nothing_here();
  Step lease_read();
  Step lease_write();
  Step end_read();
  Step end_write();
  Step filled();
  Step unfilled();

 private:
  Step refuse_or_wait();
  Step start_fill();
  void answered();
  void finish_asked(Answer status);
  void take_over_if_complete();

  const Turn& t_;
  Holder& h_;
  const Message& in_;
};

// --- Commands -----------------------------------------------------------------------------------

template <class Hooks>
Step HolderRules<Hooks>::send_copy() {
  const bool write = in_.has(kForWrite);
  const bool other = in_.node != t_.place.self && t_.place.members->contains(in_.node);
  if (!other) return t_.impossible("fetch for nobody");
  if (write && h_.copy == Copy::spare) return t_.impossible("fetch of a spare for writing");
  if (write ? h_.in_use() : h_.writer) return refuse_or_wait();
  t_.send(in_.node, {.kind = Kind::data,
                     .flags = static_cast<std::uint16_t>(in_.flags & (kForWrite | kPushed | kKeep)),
                     .count = in_.count,
                     .version = h_.version});
  if (!write) {
    const bool writer = h_.copy == Copy::write;
    if (writer && !Hooks::on(Mutant::no_downgrade)) h_.copy = Copy::read;
  } else if (Hooks::on(Mutant::no_retention) && t_.place.copies < 2) {
    h_.copy = Copy::none;
    t_.act(Action::Do::drop);
  } else {
    h_.copy = Copy::spare;
    if (Hooks::on(Mutant::released_unseen)) {
      t_.send(t_.place.home, {.kind = Kind::done, .copy = Copy::write, .node = in_.node});
    }
  }
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::refuse_or_wait() {
  if (in_.has(kTry)) {
    t_.send(in_.node, {.kind = Kind::answer, .status = Answer::busy, .flags = kTry});
    return Step::done;
  }
  h_.contended = true;
  return Step::wait;
}

template <class Hooks>
Step HolderRules<Hooks>::give_up() {
  const bool leave = Hooks::on(Mutant::early_ack) && h_.readers > 0;
  if (h_.in_use() && !leave) {
    h_.contended = true;
    return Step::wait;
  }
  if (!leave) {
    if (in_.has(kKeep)) {
      h_.copy = Copy::spare;
    } else {
      h_.copy = Copy::none;
      h_.version = 0;
      t_.act(Action::Do::drop);
    }
  }
  if (in_.node == kNoNode) {
    t_.report_done(Copy::none);
  } else {
    t_.send(in_.node, {.kind = Kind::ack});
  }
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::release() {
  if (t_.copies_wanted() < 2) {
    h_.copy = Copy::none;
    h_.version = 0;
    t_.act(Action::Do::drop);
  }
  if (Hooks::on(Mutant::released_unseen)) return Step::done;
  t_.send(t_.place.home, {.kind = Kind::done, .copy = Copy::write, .node = in_.from});
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::tell() {
  const bool exists = t_.place.self != t_.place.home && t_.home().noted;
  t_.send(t_.place.home, {.kind = Kind::report,
                          .copy = h_.copy,
                          .flags = static_cast<std::uint16_t>(kTold | (exists ? kExists : 0)),
                          .node = t_.place.self,
                          .version = h_.version});
  return Step::done;
}

// --- Replies ------------------------------------------------------------------------------------

template <class Hooks>
Step HolderRules<Hooks>::take_push() {
  if (!in_.has(kPushed)) return t_.impossible("a reply to no request");
  if (in_.kind == Kind::grant && in_.has(kCreate)) return start_fill();
  const Copy before = in_.kind == Kind::grant ? Copy::read : Copy::none;
  if (h_.copy != before && h_.copy != Copy::spare) return t_.impossible("pushed onto a copy");
  if (in_.kind == Kind::data) {
    h_.version = in_.version;
    t_.act(Action::Do::install);
  }
  h_.copy = in_.has(kKeep) ? Copy::spare : Copy::read;
  t_.report_done(Copy::read);  // As good as one: it is to be kept unseen until told.
  t_.wake = true;
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::take_read() {
  if (in_.has(kPushed)) return take_push();
  if (in_.has(kForWrite)) return t_.impossible("a reply for writing to a get");
  if (in_.kind == Kind::grant) {
    if (in_.has(kCreate)) return start_fill();
    if (h_.copy != Copy::read && h_.copy != Copy::write) return t_.impossible("grant of nothing");
  } else {
    if (h_.copy != Copy::none && h_.copy != Copy::spare) return t_.impossible("data onto a copy");
    h_.version = in_.version;
    h_.copy = Copy::read;
    t_.act(Action::Do::install);
  }
  t_.report_done(h_.copy);
  answered();
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::take_write() {
  if (in_.has(kPushed)) return take_push();
  if (in_.kind == Kind::grant && in_.has(kCreate)) return start_fill();
  if (!in_.has(kForWrite)) return t_.impossible("a reply for reading to a grab");
  if (h_.granted) return t_.impossible("a second reply to one grab");
  if (in_.kind == Kind::grant) {
    if (h_.copy != Copy::read && h_.copy != Copy::write) return t_.impossible("grant of nothing");
    h_.via = kNoNode;
  } else {
    if (h_.copy != Copy::none && h_.copy != Copy::spare) return t_.impossible("data onto a copy");
    h_.version = in_.version;
    h_.copy = Copy::spare;
    h_.via = in_.from;
    t_.act(Action::Do::install);
  }
  h_.granted = true;
  h_.acks -= static_cast<std::int32_t>(in_.count);
  take_over_if_complete();
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::count_ack() {
  ++h_.acks;
  take_over_if_complete();
  return Step::done;
}

template <class Hooks>
void HolderRules<Hooks>::take_over_if_complete() {
  if (!h_.granted || (h_.acks != 0 && !Hooks::on(Mutant::unawaited_acks))) return;
  h_.copy = Copy::write;
  h_.granted = false;
  h_.acks = 0;
  const NodeId via = h_.via;
  h_.via = kNoNode;
  if (via == kNoNode) {
    t_.report_done(Copy::write);
  } else {
    t_.send(via, {.kind = Kind::took});
  }
  answered();
}

template <class Hooks>
Step HolderRules<Hooks>::close() {
  if (h_.granted) return t_.impossible("a second reply to one request");
  if (in_.has(kTry)) t_.report_done(Copy::none, kTry);
  if (in_.has(kConfirm)) t_.report_done(Copy::none);
  finish_asked(in_.status);
  return Step::done;
}

// The op that asked ends without a lease; it may have been cancelled meanwhile.
template <class Hooks>
void HolderRules<Hooks>::finish_asked(Answer status) {
  auto& waiting = t_.part.waiting;
  if (waiting) {
    const auto asked = std::find_if(waiting->begin(), waiting->end(), [&](const Message& m) {
      return is_op(m.kind) && m.op == h_.op;
    });
    if (asked != waiting->end()) {
      // A removal that was asked for again has been done by the first request.
      if (status == Answer::absent && asked->kind == Kind::op_remove && asked->has(kAgain)) {
        status = Answer::ok;
      }
      waiting->erase(asked);
      t_.act(Action::Do::finish, h_.op, 0, status);
    }
  }
  answered();
}

// The request under way has had its reply.
template <class Hooks>
void HolderRules<Hooks>::answered() {
  h_.asks = Asks::nothing;
  h_.op = 0;
  t_.wake = true;
}

template <class Hooks>
Step HolderRules<Hooks>::start_fill() {
  if (h_.copy != Copy::none) return t_.impossible("first touch of what is here");
  h_.copy = Copy::filling;
  h_.granted = !in_.has(kPushed);  // Else for another node; our own request is still under way.
  t_.act(Action::Do::fill, 0, in_.flags & kManual);
  return Step::done;
}

// --- Ops of this node ---------------------------------------------------------------------------

template <class Hooks>
Step HolderRules<Hooks>::ask() {
  static constexpr Kind kWire[] = {Kind::get, Kind::grab, Kind::flush, Kind::sync, Kind::remove};
  const unsigned number = static_cast<unsigned>(in_.kind) - static_cast<unsigned>(kFirstOp);
  if (h_.asks != Asks::nothing) {
    if (!in_.has(kTry) || h_.op == in_.op) return Step::wait;
    t_.act(Action::Do::finish, in_.op, 0, Answer::busy);
    return Step::done;
  }
  h_.asks = static_cast<Asks>(number + 1);
  h_.op = in_.op;
  t_.send(t_.place.home,
          {.kind = kWire[number],
           .flags = static_cast<std::uint16_t>(in_.flags & (kTry | kNoTouch | kAgain | kManual)),
           .node = in_.node});
  return Step::wait;
}

template <class Hooks>
Step HolderRules<Hooks>::nothing_here() {
  t_.act(Action::Do::finish, in_.op);
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::lease_read() {
  // Who has asked is answered. If a copy that was pushed were enough, its request would stay behind
  // at the home, and make the object anew when it has been removed meanwhile.
  if (h_.asks == Asks::get && h_.op == in_.op) return Step::wait;
  if (in_.has(kNoFreeze)) return nothing_here();
  if (h_.writer || h_.contended) {
    if (!in_.has(kTry)) return Step::wait;
    t_.act(Action::Do::finish, in_.op, 0, Answer::busy);
    return Step::done;
  }
  ++h_.readers;
  t_.act(Action::Do::lease, in_.op);
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::lease_write() {
  if (h_.asks == Asks::grab && h_.op == in_.op) return Step::wait;  // As in lease_read().
  if (in_.has(kNoFreeze)) return nothing_here();
  if (h_.in_use() || h_.contended) {
    if (in_.has(kTry)) {
      t_.act(Action::Do::finish, in_.op, 0, Answer::busy);
      return Step::done;
    }
    h_.contended = h_.contended || h_.in_use();
    return Step::wait;
  }
  h_.writer = true;
  t_.act(Action::Do::lease, in_.op, kForWrite);
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::end_read() {
  if (h_.readers == 0) return t_.impossible("put of what is not held");
  --h_.readers;
  t_.wake = true;
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::end_write() {
  if (!h_.writer) return t_.impossible("put of what is not held");
  h_.writer = false;
  ++h_.version;
  t_.wake = true;
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::filled() {
  h_.copy = Copy::write;
  // What the linker did not make is as good as written: it is not what it would make again.
  h_.version = in_.has(kManual) ? 2 : 1;
  if (t_.place.heir == kNoNode) {
    t_.report_done(Copy::write);
  } else {
    t_.send(t_.place.heir, {.kind = Kind::note, .flags = kExists | kCreate, .node = t_.place.self});
  }
  if (h_.granted) answered();
  h_.granted = false;
  t_.wake = true;
  return Step::done;
}

template <class Hooks>
Step HolderRules<Hooks>::unfilled() {
  h_.copy = Copy::none;
  t_.act(Action::Do::drop);
  t_.report_done(Copy::none);
  if (h_.granted) finish_asked(Answer::failed);
  h_.granted = false;
  t_.wake = true;
  return Step::done;
}

}  // namespace krg::kddm

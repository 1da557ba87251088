// What a Kddm does when the view changes: homes learn what the members hold.
//
// A home that was settled in the view right before knows what there is. It keeps the directory of
// what was at rest, and asks singly about what was not (see the protocol's change_view()). A member
// tells, unasked, what has another home than before, and then says so: the new home takes that as
// "nothing" for all objects that others have told it of. A home that was not settled, or has missed
// a view, asks every member for all that is at home there.
#include <algorithm>
#include <utility>

#include "service.h"
#include "with_part.h"

namespace krg::kddm {

void Service::enter(const cluster::View& view) {
  ops_.give_up_with_view();
  drain_of_others_.over();
  held_back_.clear();
  come_from(view);
  counters_.views->add();
  channels_.set_view(view);
  late_.clear();
  reported_.clear();
  settled_ = false;
  for_each_set([](Set& set) {
    set.introduced.clear();
    set.reporters.clear();
    set.failed_touches.clear();
    set.written.clear();
  });
  for_each_set([this](Set& set) {
    if (set.gone) return;
    for (const ObjectId object : copies_.objects(set)) change_view_of(set, object);
  });
  for (const NodeId member : now_.members) {
    if (member == options_.self) {
      notes_.push_back({});
    } else {
      channels_.send(member, encode(Word::reported));
      if (asks_all_) channels_.send(member, encode(Word::tell_all));
    }
  }
  drain();
}

// Takes over who the members are, and what that means for what is known of the view before.
void Service::come_from(const cluster::View& view) {
  const bool first = epoch_.value == 0;
  follows_ = !first && view.epoch.value == epoch_.value + 1;
  asks_all_ = !follows_ || !settled_;
  epoch_ = view.epoch;
  std::vector<std::pair<NodeId, Incarnation>> lives;
  newcomers_ = {};
  for (const cluster::Member& member : view.members) {
    lives.emplace_back(member.node, member.incarnation);
    if (!std::binary_search(lives_.begin(), lives_.end(), lives.back())) {
      newcomers_.insert(member.node);
    }
  }
  lives_ = std::move(lives);
  before_ = first ? Homesteads() : now_;
  now_.members = view.nodes();
  if (first) {
    now_.ring = HashRing(now_.members);
  } else {
    now_.ring.update(now_.members);
  }
  now_.staying = {};
  for (const cluster::Member& member : view.members) {
    if (member.state != cluster::NodeState::leaving) now_.staying.insert(member.node);
  }
  // All of them: nobody has to follow, or could.
  if (now_.staying.size() == now_.members.size()) now_.staying = {};
  now_.ring_of_staying.reset();
  if (!now_.staying.empty()) now_.ring_of_staying.emplace(now_.staying);
}

Before Service::before_of(Set& set, ObjectId object, const Place& place) const noexcept {
  if (before_.members.empty()) return {.asks_all = asks_all_};
  const Homes homes = homes_in(set, object, before_.ring, before_.members);
  const auto next = next_of(set, object, homes, before_);
  Before before{.follows = follows_,
                .home = homes.home,
                .heirs = {homes.heir, next[0], next[1]},
                .new_home = newcomers_.contains(place.home),
                .asks_all = asks_all_};
  // Of another life they have noted nothing.
  for (NodeId& heir : before.heirs) {
    if (newcomers_.contains(heir)) heir = kNoNode;
  }
  return before;
}

// Whether this node, which is the home, knows of all copies there are, or asks for each by itself.
bool Service::is_certain(const Before& before) const noexcept {
  return before.had_home(options_.self) && !before.asks_all;
}

bool Service::is_certain(Set& set, ObjectId object, const Place& place) const noexcept {
  return follows_ && !asks_all_ && is_certain(before_of(set, object, place));
}

void Service::change_view_of(Set& set, ObjectId object) noexcept {
  const Place place = place_of(set, object);
  const Before before = before_of(set, object, place);
  // Its own report goes to itself, by a note.
  if (place.home == place.self && !is_certain(before)) set.reporters[object].insert(place.self);
  with_part(set, look(set, object, true, true), object, place, nullptr,
            [&](Part& part, Actions& actions) { change_view(place, before, part, actions); });
}

// The first that this home hears of an object in this view, while not all have reported.
void Service::begin_rebuild(Set& set, ObjectId object) noexcept {
  change_view_of(set, object);
  reported_.for_each([&](NodeId node) {
    // Our own report is under way, from within change_view.
    if (node != options_.self) report_nothing(set, object, node);
  });
}

void Service::report_nothing(Set& set, ObjectId object, NodeId from) noexcept {
  set.reporters[object].insert(from);
  const std::uint16_t flags = asks_all_ ? kTold : 0;
  notes_.push_back(
      {&set,
       object,
       {.kind = Kind::report, .flags = flags, .from = from, .node = from, .epoch = epoch_}});
}

bool Service::knows_all() {
  bool all = settled_;
  for_each_set([&all](Set& set) {
    set.homes.for_each(
        [&all](const HomeEntry& entry) { all = all && entry.home.state != HomeState::rebuilding; });
  });
  return all;
}

// `all`: what this node has asked for, not only what has a new home.
void Service::on_reported(NodeId from, bool all) noexcept {
  if (all != asks_all_) return;
  reported_.insert(from);
  settled_ = reported_.size() == now_.members.size();
  for_each_set([&](Set& set) {
    if (set.gone) return;
    for (const auto& [object, told] : set.reporters) {
      if (told.contains(from)) continue;
      const HomeEntry* const entry = set.homes.find(object);
      if (entry == nullptr || entry->home.state != HomeState::rebuilding) continue;
      if (entry->home.missing > 0) report_nothing(set, object, from);
    }
    if (settled()) set.reporters.clear();
  });
}

// A home asks for all that this node has of what is at home there.
void Service::tell_all(NodeId home) noexcept {
  for_each_set([&](Set& set) {
    if (set.gone) return;
    for (const ObjectId object : copies_.objects(set)) {
      if (home_of(set, object) != home) continue;
      feed(set, object, {.kind = Kind::inquire, .from = home, .epoch = epoch_});
    }
  });
  channels_.send(home, encode(Word::told_all));
}

}  // namespace krg::kddm

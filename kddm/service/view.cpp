// What a Kddm does when the view changes: every member tells each home what it holds.
//
// For an object that a member knows nothing of it says nothing; when it has told everything, it
// says so, and a home takes that as "nothing" for all objects that it asks after. A home that hears
// of an object for the first time begins with those that have said so already.
#include <utility>

#include "service.h"
#include "with_part.h"

namespace krg::kddm {

void Service::enter(const cluster::View& view) {
  ops_.give_up_with_view();
  epoch_ = view.epoch;
  drain_of_others_.over();
  const bool first = members_.empty();
  members_ = view.nodes();
  if (first) {
    ring_ = HashRing(members_);
  } else {
    ring_.update(members_);
  }
  counters_.views->add();
  channels_.set_view(view);
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
    for (const ObjectId object : set.objects()) change_view_of(set, object);
  });
  for (const NodeId member : members_) {
    if (member == options_.self) {
      notes_.push_back({});
    } else {
      channels_.send(member, encode_reported());
    }
  }
  drain();
}

void Service::change_view_of(Set& set, ObjectId object) noexcept {
  const Place place = place_of(set, object);
  // Its own report goes to itself, by a note.
  if (place.home == place.self) set.reporters[object].insert(place.self);
  with_part(set, set.look(object, true, true), object, place, nullptr,
            [&](Part& part, Actions& actions) { change_view(place, part, actions); });
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
  notes_.push_back(
      {&set, object, {.kind = Kind::report, .from = from, .node = from, .epoch = epoch_}});
}

void Service::on_reported(NodeId from) noexcept {
  reported_.insert(from);
  settled_ = reported_.size() == members_.size();
  for_each_set([&](Set& set) {
    if (set.gone) return;
    set.homes.for_each([&](const HomeEntry& entry) {
      if (entry.home.state != HomeState::rebuilding || entry.home.missing == 0) return;
      const auto told = set.reporters.find(entry.id);
      if (told != set.reporters.end() && told->second.contains(from)) return;
      report_nothing(set, entry.id, from);
    });
    if (settled()) set.reporters.clear();
  });
}

}  // namespace krg::kddm

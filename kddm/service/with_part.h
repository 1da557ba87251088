// One step on an object's part, with what tasks do to its bytes kept out meanwhile.
#pragma once

#include <utility>

#include "service.h"

namespace krg::kddm {

template <class Step>
void Service::with_part(Set& set, Set::Halves at, ObjectId object, const Place& place,
                        Arrived* data, Step&& step) {
  const bool tasks_ended = at.holder != nullptr && copies_.look(set, *at.holder);
  Part part = set.take(at, object, place);
  const std::uint32_t readers = part.holder.readers;
  const bool writer = part.holder.writer;
  Actions actions = std::exchange(actions_, {});
  if (tasks_ended) recheck(place, part, actions);
  step(part, actions);
  // What the step changed are leases of this process.
  const std::uint32_t more = part.holder.readers - readers;
  const bool begins = part.holder.writer && !writer;
  const bool ends = writer && !part.holder.writer;
  set.give(at, object, std::move(part));
  if (at.holder != nullptr) {
    at.holder->readers += more;
    at.holder->writer = begins || (at.holder->writer && !ends);
  }
  const bool resident = set.resident != nullptr;
  if (resident && at.holder != nullptr) copies_.confine(set, *at.holder);
  perform(set, object, at.holder, actions, data);
  actions.clear();
  actions_ = std::move(actions);
  if (at.holder != nullptr) {
    if (resident) copies_.settle(set, *at.holder);
    copies_.let(set, *at.holder);
    copies_.rest(set, at.holder);
  }
  if (store() != nullptr && store()->waiting() > 0) watch();
}

}  // namespace krg::kddm

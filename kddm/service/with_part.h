// One step on an object's part, with what tasks do to its bytes kept out meanwhile.
#pragma once

#include <utility>

#include "service.h"

namespace krg::kddm {

template <class Step>
void Service::with_part(Set& set, ObjectId object, const Place& place, const Block& data,
                        Step&& step) {
  if (HolderEntry* entry = set.holders.find(object)) copies_.look(*entry);
  Part part = set.take(object, place);
  const std::uint32_t readers = part.holder.readers;
  const bool writer = part.holder.writer;
  Actions actions = std::exchange(actions_, {});
  step(part, actions);
  // What the step changed are leases of this process.
  const std::uint32_t more = part.holder.readers - readers;
  const bool begins = part.holder.writer && !writer;
  const bool ends = writer && !part.holder.writer;
  set.give(object, place, std::move(part));
  if (HolderEntry* entry = set.holders.find(object)) {
    entry->readers += more;
    entry->writer = begins || (entry->writer && !ends);
  }
  perform(set, object, actions, data);
  actions.clear();
  actions_ = std::move(actions);
  if (HolderEntry* entry = set.holders.find(object)) copies_.let(*entry);
  if (store() != nullptr && store()->waiting() > 0) watch();
}

}  // namespace krg::kddm

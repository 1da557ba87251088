// Data that come while this node has no lease from the cluster.
//
// The newest view may be without this node, and then without all that it takes; so it takes
// nothing, and who has sent it keeps it. Data need no place in the order of their sender's messages
// (docs/design/kddm.md, "What was checked"): for the protocol they are still on their way.
#include <utility>

#include "service.h"

namespace krg::kddm {

// Who has drained, for one, serves nothing either, but takes what comes: the home may wait for it.
bool Service::has_lease() const {
  const Status may = serves();
  return may || may.error().code() != Errc::no_quorum;
}

bool Service::hold_back(Set& set, ObjectId object, const Message& message, Arrived& data) noexcept {
  if (has_lease()) return false;
  const std::size_t size = data.size();
  rpc::Buffer bytes = data.take(rpc_.buffers());
  if (bytes.size() != size) return false;  // No memory for it: what is not taken at all is missed.
  held_back_.push_back({&set, object, message, Arrived(std::move(bytes))});
  watch();
  return true;
}

void Service::take_held_back() noexcept {
  if (held_back_.empty() || !has_lease()) return;
  for (HeldBack& late : std::exchange(held_back_, {})) {
    if (!late.set->gone) feed(*late.set, late.object, late.message, &late.data);
  }
}

}  // namespace krg::kddm

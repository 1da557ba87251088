// Where an object is at home in this view, and where it will be without those that leave.
#include "service.h"

namespace krg::kddm {

Homes Service::homes_for(Set& set, ObjectId object) const noexcept {
  if (set.options.policy != HomePolicy::fixed)
    return homes_in(set, object, now_.ring, now_.members);
  if (set.homes_epoch != epoch_) {
    set.homes_of_all = homes_in(set, object, now_.ring, now_.members);
    set.homes_epoch = epoch_;
  }
  return set.homes_of_all;
}

Homes Service::homes_in(const Set& set, ObjectId object, const HashRing& ring,
                        const cluster::NodeSet& members) const noexcept {
  if (set.options.policy != HomePolicy::linker) {
    return homes_of(set.options, set.id, object, ring, members);
  }
  const NodeId preferred =
      set.linker == nullptr ? kNoNode : set.linker->preferred_home(set.id, object);
  return preferred == kNoNode ? ring.homes(set.id, object) : homes_near(preferred, members);
}

// Who will be home and heir without those that are about to leave, and is neither yet.
std::array<NodeId, 2> Service::next_of(const Set& set, ObjectId object, const Homes& homes,
                                       const Homesteads& view) const noexcept {
  std::array<NodeId, 2> next = {kNoNode, kNoNode};
  if (!view.ring_of_staying) return next;
  if (view.staying.contains(homes.home) && view.staying.contains(homes.heir)) return next;
  const Homes then = homes_in(set, object, *view.ring_of_staying, view.staying);
  std::size_t count = 0;
  for (const NodeId node : {then.home, then.heir}) {
    if (node != homes.home && node != homes.heir) next[count++] = node;
  }
  return next;
}

Place Service::place_of(Set& set, ObjectId object) const noexcept {
  const Homes homes = homes_for(set, object);
  return {.epoch = epoch_,
          .self = options_.self,
          .home = homes.home,
          .heir = homes.heir,
          .next = next_of(set, object, homes, now_),
          .members = &now_.members,
          .copies = set.options.copies,
          .touch_at_home = set.options.has(SetFlag::touch_at_home),
          .drained = drained_};
}

}  // namespace krg::kddm

// Holders at rest: a copy in the node-shared store to which nothing happens.
//
// All that a step must know of it is what copy it is and of which version; that is kept with the
// slot, beside what the store knows anyway (object, place, size). Who uses it the next look at the
// slot says. So such an object costs the store's bytes and no entry in its set.
#include "copies.h"

namespace krg::kddm {
namespace {

bool can_rest(const HolderEntry& entry) noexcept {
  if (entry.slot == kNoSlot || entry.waiting || entry.held) return false;
  if (entry.readers > 0 || entry.writer) return false;
  const Holder& holder = entry.holder;
  if (holder.copy == Copy::none || holder.copy == Copy::filling) return false;
  // Beside these two fields it is as blank; leases of tasks are in their tables.
  Holder plain;
  plain.copy = holder.copy;
  plain.version = holder.version;
  plain.readers = holder.readers;
  plain.writer = holder.writer;
  return holder == plain;
}

}  // namespace

Holder Copies::resting(SlotId slot) const noexcept {
  const Kept kept = store_->kept(slot);
  Holder holder;
  holder.copy = static_cast<Copy>(kept.what);
  holder.version = kept.version;
  return holder;
}

Copies::Seen Copies::see(Set& set, ObjectId object) const noexcept {
  if (HolderEntry* const entry = set.holders.find(object)) {
    return {entry->holder, entry->slot, entry};
  }
  if (set.resting == kNoSlot) return {};
  const SlotId slot = store_->find(set.id, object);
  if (slot == kNoSlot || !store_->kept(slot)) return {};
  return {resting(slot), slot, nullptr};
}

HolderEntry* Copies::find(Set& set, ObjectId object) noexcept {
  const Seen seen = see(set, object);
  if (seen.awake != nullptr || seen.slot == kNoSlot) return seen.awake;
  store_->take_kept(seen.slot, set.resting);
  HolderEntry& entry = set.holders.insert(object);
  entry.slot = seen.slot;
  entry.holder = seen.holder;
  return &entry;
}

void Copies::rest(Set& set, HolderEntry*& entry) noexcept {
  if (entry == nullptr || !can_rest(*entry)) return;
  const Kept kept{static_cast<std::uint8_t>(entry->holder.copy), entry->holder.version};
  // Messages that still have its bytes keep the slot: see drop().
  entry->block = {};
  store_->keep(entry->slot, kept, set.resting);
  set.holders.erase(entry->id);
  entry = nullptr;
}

std::vector<ObjectId> Copies::objects(Set& set) const {
  std::vector<ObjectId> all;
  all.reserve(set.holders.size() + set.homes.size());
  for_each(set, [&](ObjectId object, const Holder&) { all.push_back(object); });
  const auto has_holder = [&](ObjectId object) {
    const Seen seen = see(set, object);
    return seen.awake != nullptr || seen.slot != kNoSlot;
  };
  set.homes.for_each([&](const HomeEntry& entry) {
    if (!has_holder(entry.id)) all.push_back(entry.id);
  });
  for (const auto& [object, messages] : set.waiting) {
    if (!has_holder(object) && set.homes.find(object) == nullptr) all.push_back(object);
  }
  return all;
}

void Copies::drop_all(Set& set) noexcept {
  set.holders.for_each([&](HolderEntry& entry) { drop(set, entry); });
  while (set.resting != kNoSlot) {
    const SlotId slot = set.resting;
    store_->take_kept(slot, set.resting);
    give_up_slot(slot);
  }
}

}  // namespace krg::kddm

// Copies in a residence: memory that others use without leases.
//
// A copy that may be read lies in its place, a spare on the heap as soon as the place was seen: for
// only with its contents can a page be taken from everybody. The orders that must hold: nobody
// writes any more before the bytes are looked at, and nobody sees them any more before this node
// says that it has given them up.
#include "resident.h"

#include <utility>

#include "copies.h"

namespace krg::kddm {

Block Copies::stable_bytes(const Set& set, HolderEntry& entry) noexcept {
  if (!set.resident || !entry.block.is_lent()) return pin(entry);
  Block copy = set.resident->copy(entry.id, entry.block.size());
  // As for what arrives: a member that has no memory at all can not go on.
  KRG_ASSERT(copy);
  return copy;
}

bool Copies::take_place(const Set& set, HolderEntry& entry) noexcept {
  Block block = set.resident->lend(entry.id);
  if (!block) return false;
  set_heap(entry, std::move(block));
  return true;
}

void Copies::settle_arrived(const Set& set, HolderEntry& entry, Arrived& data) noexcept {
  if (!entry.block.is_lent() && !take_place(set, entry)) return set_heap(entry, block_of(data));
  if (data.empty()) return;
  // Pushed onto a copy that its users read already: as a rule it is what they read.
  if (set.resident->is_open(entry.id)) set.resident->vacate(entry.id);
  set.resident->write(entry.id, data.bytes());
}

void Copies::leave(const Set& set, HolderEntry& entry) noexcept {
  if (entry.block.is_lent()) set.resident->vacate(entry.id);
  set_heap(entry, {});
}

void Copies::confine(const Set& set, HolderEntry& entry) noexcept {
  if (!entry.block.is_lent() || !set.resident->is_open(entry.id)) return;
  switch (entry.holder.copy) {
    case Copy::write:
      return;
    case Copy::read:
      return set.resident->protect(entry.id);
    case Copy::none:
      return leave(set, entry);
    case Copy::filling:
    case Copy::spare:
      break;
  }
  set.resident->protect(entry.id);
  Block kept = stable_bytes(set, entry);
  leave(set, entry);
  set_heap(entry, std::move(kept));
}

void Copies::settle(const Set& set, HolderEntry& entry) noexcept {
  const Copy copy = entry.holder.copy;
  if (copy != Copy::read && copy != Copy::write) return;
  if (!entry.block || entry.block.is_lent()) return;
  const Block heap = entry.block;
  if (!take_place(set, entry)) return;
  set.resident->write(entry.id, heap.bytes());
}

}  // namespace krg::kddm

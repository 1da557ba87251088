// Copies in a residence: memory that others use without leases.
//
// A copy that may be read lies in its place, a spare on the heap as soon as the place was seen: for
// only with its contents can a page be taken from everybody. The orders that must hold: nobody
// writes any more before the bytes are looked at, and nobody sees them any more before this node
// says that it has given them up.
#include "resident.h"

#include <cstring>
#include <utility>

#include "copies.h"

namespace krg::kddm {

bool Copies::take_place(const Set& set, HolderEntry& entry) noexcept {
  Block block = set.resident->lend(entry.id);
  if (!block) return false;
  set_heap(entry, std::move(block));
  return true;
}

void Copies::settle_arrived(const Set& set, HolderEntry& entry, Arrived& data) noexcept {
  if (!entry.block.is_lent() && !take_place(set, entry)) return set_heap(entry, block_of(data));
  if (data.empty()) return;
  std::byte* const place = entry.block.bytes().data();
  if (set.resident->is_open(entry.id)) {
    // What is pushed onto a copy that its users read already is, as a rule, what they read.
    if (std::memcmp(place, data.bytes().data(), data.size()) == 0) return;
    set.resident->vacate(entry.id);
  }
  std::memcpy(place, data.bytes().data(), data.size());
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
  Block kept = Block::copy(entry.block.bytes());
  // As for what arrives: a member that has no memory at all can not go on.
  KRG_ASSERT(kept);
  leave(set, entry);
  set_heap(entry, std::move(kept));
}

void Copies::settle(const Set& set, HolderEntry& entry) noexcept {
  const Copy copy = entry.holder.copy;
  if (copy != Copy::read && copy != Copy::write) return;
  if (!entry.block || entry.block.is_lent()) return;
  const Block heap = entry.block;
  if (!take_place(set, entry)) return;
  std::memcpy(entry.block.bytes().data(), heap.bytes().data(), heap.size());
}

}  // namespace krg::kddm

#include "copies.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace krg::kddm {
namespace {

Error no_memory() noexcept { return Error(Errc::no_memory, "a copy of a shared object"); }

// As the last look has found it.
bool used_by_tasks(const HolderEntry& entry) noexcept {
  return entry.holder.readers != entry.readers || entry.holder.writer != entry.writer;
}

// What tasks may do by themselves.
Access access_of(const HolderEntry& entry) noexcept {
  const Holder& holder = entry.holder;
  if (holder.contended || entry.writer) return Access::none;
  // Who waits for a lease's end is woken by a ring, and only leases of frozen objects ring.
  if (entry.waiting && holder.in_use()) return Access::none;
  if (entry.held) return Access::none;
  switch (holder.copy) {
    case Copy::read:
      return Access::read;
    case Copy::write:
      return entry.readers > 0 ? Access::read : Access::write;
    case Copy::none:
    case Copy::filling:
    case Copy::spare:
      break;
  }
  return Access::none;
}

}  // namespace

bool Copies::cohort_has(const Set& set, const HolderEntry& entry) const noexcept {
  if (cohorts_ == nullptr || !set.options.has(SetFlag::locks)) return false;
  if (entry.writer || entry.readers > 0 || entry.held || entry.holder.copy != Copy::write) {
    return false;
  }
  return store_->is_fought_for(entry.slot) && cohorts_->is_open(entry.slot);
}

bool Copies::look(const Set& set, HolderEntry& entry) noexcept {
  if (entry.slot == kNoSlot) return false;
  const Frozen found = store_->freeze(entry.slot);
  Holder& holder = entry.holder;
  const bool tasks = used_by_tasks(entry);
  const bool cohort = found.idle() && cohort_has(set, entry);
  holder.readers = entry.readers + (found.readers ? 1 : 0);
  holder.writer = entry.writer || found.writer != kNoTask || cohort;
  if (holder.copy == Copy::read || holder.copy == Copy::write) holder.version = found.version;
  return tasks && found.idle() && !cohort;
}

Access Copies::access_of_lock(const HolderEntry& entry, Access access) noexcept {
  const bool of_a_task = entry.holder.writer && !entry.writer && entry.readers == 0;
  if (access != Access::none || !of_a_task) {
    cohorts_->served(entry.slot);
    return access;
  }
  const bool cohort =
      !entry.held && entry.holder.copy == Copy::write && store_->is_fought_for(entry.slot);
  return cohort && cohorts_->may_go_on(entry.slot) ? Access::write : Access::none;
}

void Copies::let(const Set& set, HolderEntry& entry) noexcept {
  if (entry.slot == kNoSlot || !store_->is_frozen(entry.slot)) return;
  if (entry.block && entry.block.unique()) entry.block = {};
  if (!used_by_tasks(entry)) store_->set_version(entry.slot, entry.holder.version);
  Access access = access_of(entry);
  if (cohorts_ != nullptr && set.options.has(SetFlag::locks))
    access = access_of_lock(entry, access);
  // Refused while a task still uses it: then a sweep tells of the end.
  if (access != Access::none) static_cast<void>(store_->thaw(entry.slot, access));
}

Result<SlotId> Copies::slot_for(const Set& set, ObjectId object, std::size_t size) noexcept {
  const SlotId kept = store_->find(set.id, object);
  if (kept == kNoSlot) return store_->allocate(set.id, object, size);
  store_->freeze(kept);
  KRG_TRY(store_->resize(kept, size));
  if (const auto at = lent_.find(kept.value); at != lent_.end()) at->second.dropped = false;
  return kept;
}

bool Copies::take_slot(const Set& set, HolderEntry& entry, std::size_t size) noexcept {
  const Result<SlotId> slot =
      store_ == nullptr ? Result<SlotId>(Errc::not_supported) : slot_for(set, entry.id, size);
  if (slot) entry.slot = *slot;
  return slot.has_value();
}

Status Copies::allocate(const Set& set, HolderEntry& entry, std::size_t size) noexcept {
  if (set.resident ? take_place(set, entry) : take_slot(set, entry, size)) return {};
  set_heap(entry, Block::make(size));
  return entry.block ? Status() : Status(no_memory());
}

// What a node is sent it can not refuse; without any memory it can not go on as a member.
Block Copies::block_of(Arrived& data) noexcept {
  Block block = data.has_buffer() ? Block::adopt(data.take(buffers_)) : Block::copy(data.bytes());
  KRG_ASSERT(block);
  return block;
}

void Copies::install(const Set& set, HolderEntry& entry, Arrived& data) noexcept {
  if (set.resident) return settle_arrived(set, entry, data);
  if (store_ == nullptr) return set_heap(entry, block_of(data));
  if (entry.slot == kNoSlot) {
    set_heap(entry, {});
    if (!take_slot(set, entry, data.size())) return set_heap(entry, block_of(data));
  } else if (store_->bytes(entry.slot).size() != data.size() && !resize(entry, data.size())) {
    drop(set, entry);
    return set_heap(entry, block_of(data));
  }
  if (data.size() > 0) {
    std::memcpy(store_->bytes(entry.slot).data(), data.bytes().data(), data.size());
  }
}

void Copies::set_heap(HolderEntry& entry, Block block) noexcept {
  if (entry.block) heap_bytes_ -= Block::footprint(entry.block.size());
  if (block) heap_bytes_ += Block::footprint(block.size());
  entry.block = std::move(block);
}

Status Copies::resize(HolderEntry& entry, std::size_t size) noexcept {
  if (entry.slot != kNoSlot) {
    const std::size_t before = store_->bytes(entry.slot).size();
    if (const Status room = store_->resize(entry.slot, size); !room) {
      if (room.error().code() != Errc::no_memory) return room;
      return Error(Errc::no_space, "the memory that this node shares with its tasks is full");
    }
    const std::span<std::byte> after = store_->bytes(entry.slot);
    if (size > before) std::memset(after.data() + before, 0, size - before);
    if (entry.block) entry.block.move_to(after);
    return {};
  }
  Block other = Block::make(size);
  if (!other) return no_memory();
  const std::size_t kept = std::min(size, entry.block.size());
  if (kept > 0) std::memcpy(other.bytes().data(), entry.block.bytes().data(), kept);
  if (size > kept) std::memset(other.bytes().data() + kept, 0, size - kept);
  set_heap(entry, std::move(other));
  return {};
}

Status Copies::break_for_writer(HolderEntry& entry) noexcept {
  if (!entry.block.is_frozen()) return {};
  Block own = Block::copy(entry.block.bytes());
  if (!own) return no_memory();
  set_heap(entry, std::move(own));
  return {};
}

void Copies::drop(const Set& set, HolderEntry& entry) noexcept {
  const SlotId slot = std::exchange(entry.slot, kNoSlot);
  if (slot == kNoSlot) return set.resident ? leave(set, entry) : set_heap(entry, {});
  entry.block = {};
  give_up_slot(slot);
}

void Copies::give_up_slot(SlotId slot) noexcept {
  if (const auto at = lent_.find(slot.value); at != lent_.end()) {
    at->second.dropped = true;
  } else {
    free(slot);
  }
}

void Copies::free(SlotId slot) noexcept {
  store_->freeze(slot);
  // Refused while a task uses it, whose set was destroyed: forget() comes when it has ended.
  static_cast<void>(store_->free(slot));
}

void Copies::forget(SlotId slot) noexcept {
  if (!lent_.contains(slot.value)) free(slot);
}

std::span<std::byte> Copies::bytes(const HolderEntry& entry) const noexcept {
  return entry.slot == kNoSlot ? entry.block.bytes() : store_->bytes(entry.slot);
}

Block Copies::pin(HolderEntry& entry) noexcept {
  if (entry.slot != kNoSlot && !entry.block) {
    entry.block = Block::lend(store_->bytes(entry.slot), *this, entry.slot.value);
    if (entry.block) ++lent_[entry.slot.value].blocks;
  }
  return entry.block;
}

void Copies::unused(std::uint64_t key) noexcept {
  const auto at = lent_.find(static_cast<std::uint32_t>(key));
  if (--at->second.blocks > 0) return;
  const bool dropped = at->second.dropped;
  const SlotId slot{at->first};
  lent_.erase(at);
  if (dropped) free(slot);
}

Status Copies::move_to_store(const Set& set, HolderEntry& entry) noexcept {
  if (set.resident) {
    return Error(Errc::not_supported, "objects that are memory of a region are used as such");
  }
  if (store_ == nullptr) {
    return Error(Errc::not_supported, "this krgd shares no memory with its tasks");
  }
  // Who reads the heap's bytes now keeps them; they are the same.
  const Block heap = entry.block;
  set_heap(entry, {});
  if (!take_slot(set, entry, heap.size())) {
    set_heap(entry, heap);
    return Error(Errc::no_space, "the memory that this node shares with its tasks is full");
  }
  if (heap.size() > 0) {
    std::memcpy(store_->bytes(entry.slot).data(), heap.bytes().data(), heap.size());
  }
  return {};
}

Result<Grant> Copies::hand_over(const Set& set, HolderEntry& entry, TaskIndex task,
                                LeaseKind kind) noexcept {
  if (entry.slot == kNoSlot) KRG_TRY(move_to_store(set, entry));
  const Result<Grant> grant = store_->grant(entry.slot, task, kind);
  if (!grant) return grant;
  if (cohorts_ != nullptr) cohorts_->served(entry.slot);
  if (kind == LeaseKind::write) {
    entry.writer = false;
  } else {
    --entry.readers;
  }
  return grant;
}

Result<Grant> Copies::resize_for(HolderEntry& entry, TaskIndex task, std::uint32_t lease,
                                 std::size_t size, bool possible, Errc& how) noexcept {
  const SlotId slot = entry.slot;
  if (store_->look(slot).writer == task) {
    store_->withdraw(task, Grant{store_->handle(slot), lease, LeaseKind::write});
  }
  if (!store_->look(slot).idle()) {
    return Error(Errc::invalid_argument, "the task has no such lease for writing");
  }
  const Status resized =
      possible ? resize(entry, size)
               : Status(Error(Errc::invalid_argument, "no object of the set has this size"));
  how = resized ? Errc::ok : resized.error().code();
  return store_->grant(slot, task, LeaseKind::write);
}

}  // namespace krg::kddm

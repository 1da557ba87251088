// copies.h: where the bytes of this node's copies lie: on the heap, or in the node-shared store.
//
// Model    with a store, tasks lease by themselves what look() and let() allow them: before a step
//          of the protocol look() freezes the object and tells the holder who uses it; after the
//          step let() lets tasks do what the copy allows. A copy that is dropped while a lease or a
//          message still has its bytes keeps its slot until they end. A holder in the store to
//          which nothing happens rests: what is to be known of it is kept with its slot, and it
//          has no entry in its set. A third place is a residence (resident.cpp): the block is lent
//          by it, and before what a step has decided is performed, confine() withdraws what its
//          users may no longer do.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/kddm.md, "Node-shared store"
#pragma once

#include <unordered_map>
#include <vector>

#include "cohorts.h"
#include "krg/kddm/block.h"
#include "krg/share/node_store.h"
#include "set.h"

namespace krg::kddm {

class Copies final : private BlockKeeper {
 public:
  // What arrives without a buffer gets one of `buffers`, which outlives this.
  explicit Copies(rpc::BufferPool& buffers) noexcept : buffers_(buffers) {}
  Copies(const Copies&) = delete;
  Copies& operator=(const Copies&) = delete;
  // Requires  no block of it is used.
  ~Copies() = default;

  NodeStore* store() const noexcept { return store_; }
  // From now on copies come to lie in `store`; those on the heap do when a task wants them.
  // Requires  there is none yet; it outlives this.
  void use(NodeStore& store) noexcept { store_ = &store; }
  // Of locks. Requires  it outlives this.
  void use(Cohorts& cohorts) noexcept { cohorts_ = &cohorts; }

  // --- Holders, awake or at rest

  // The object's, awake; nullptr: blank. Who has woken it calls rest() when he is done with it.
  HolderEntry* find(Set& set, ObjectId object) noexcept;
  // Lets it rest, if it can; then it is nullptr. As nullptr it stays so.
  void rest(Set& set, HolderEntry*& entry) noexcept;
  struct Seen {
    Holder holder;          // Without tasks' leases if it rests; Copy::none: blank, or bytes
    SlotId slot = kNoSlot;  // are still to come.
    HolderEntry* awake = nullptr;
  };
  // The same without waking it.
  Seen see(Set& set, ObjectId object) const noexcept;
  // Calls visit(ObjectId, const Holder&) for each, awake or not. `visit` changes nothing.
  template <class Visit>
  void for_each(Set& set, Visit&& visit) const {
    set.holders.for_each([&](const HolderEntry& entry) { visit(entry.id, entry.holder); });
    for (SlotId slot = set.resting; slot != kNoSlot; slot = store_->next_kept(slot)) {
      visit(store_->object_of(slot), resting(slot));
    }
  }
  // Every object of which this node has a part.
  std::vector<ObjectId> objects(Set& set) const;
  // Of a set that is destroyed.
  void drop_all(Set& set) noexcept;

  // --- Bytes

  // Tasks lease nothing of it from now on; the holder is brought up to date. Whether tasks used it
  // at the last look and have all ended: whoever waits for that is to be told.
  bool look(const Set& set, HolderEntry& entry) noexcept;
  // Tasks may do what the holder may; of a lock perhaps a little longer: see Cohorts.
  void let(const Set& set, HolderEntry& entry) noexcept;

  // `size` bytes for a copy that has none; their contents are undefined. On the heap if the store
  // has no room: it is Room that says how much there may be.
  // Errors  no_memory
  Status allocate(const Set& set, HolderEntry& entry, std::size_t size) noexcept;
  // Takes over the bytes that have arrived: into their slot, if there is a store, else or if that
  // has no room into a buffer of their own.
  void install(const Set& set, HolderEntry& entry, Arrived& data) noexcept;
  // Requires  looked at, and nobody uses it but one lease of this process.
  // Errors  no_memory, no_space
  Status resize(HolderEntry& entry, std::size_t size) noexcept;
  void drop(const Set& set, HolderEntry& entry) noexcept;

  // After a step, before anything comes out of it: who uses the copy in a residence can do no more
  // than the holder may. Requires  the set has one.
  void confine(const Set& set, HolderEntry& entry) noexcept;
  // A copy that may be read lies in the residence, if that has room. Requires  the set has one.
  void settle(const Set& set, HolderEntry& entry) noexcept;
  // Somebody is to write: what a snapshot keeps is copied. Errors  no_memory
  Status break_for_writer(HolderEntry& entry) noexcept;

  std::span<std::byte> bytes(const HolderEntry& entry) const noexcept;
  std::span<std::byte> bytes(const Seen& seen) const noexcept {
    if (seen.awake != nullptr) return bytes(*seen.awake);
    return seen.slot == kNoSlot ? std::span<std::byte>() : store_->bytes(seen.slot);
  }
  // Of all copies here, as allocated: what the limit of a node counts.
  std::uint64_t used_bytes() const noexcept {
    return heap_bytes_ + (store_ == nullptr ? 0 : store_->bytes_used());
  }
  // The bytes, kept for whoever holds the block.
  Block pin(HolderEntry& entry) noexcept;
  // The same for who must not see later writes: from a residence a copy of them.
  Block stable_bytes(const Set& set, HolderEntry& entry) noexcept;

  // A slot without an entry that tasks no longer use: see NodeStore::sweep().
  void forget(SlotId slot) noexcept;

  // A lease of this process becomes the task's. Requires  looked at, and leased so.
  // Errors  limit_reached  the task has too many; not_supported  there is no store; no_space
  Result<Grant> hand_over(const Set& set, HolderEntry& entry, TaskIndex task,
                          LeaseKind kind) noexcept;
  // The task's lease for writing at `lease` of its table ends, and begins anew with another size,
  // if that is `possible`. `how`: why not.
  // Requires  looked at. Errors  invalid_argument  there is no such lease
  Result<Grant> resize_for(HolderEntry& entry, TaskIndex task, std::uint32_t lease,
                           std::size_t size, bool possible, Errc& how) noexcept;

 private:
  // How the bytes of a slot are used beside its copy.
  struct Lent {
    std::uint32_t blocks = 0;  // Not counting their users.
    bool dropped = false;      // There is no copy any more: the last block frees the slot.
  };

  void unused(std::uint64_t key) noexcept override;
  // Whether an idle lock is taken for one that tasks of this node have: see Cohorts.
  bool cohort_has(const Set& set, const HolderEntry& entry) const noexcept;
  // What tasks may do of a lock, if without others who wait for it they might do `access`.
  Access access_of_lock(const HolderEntry& entry, Access access) noexcept;
  // Requires  one rests there.
  Holder resting(SlotId slot) const noexcept;
  // Nobody holds the copy in the slot any more.
  void give_up_slot(SlotId slot) noexcept;
  // From the heap. Requires  nobody writes it but the caller. Errors  no_space
  Status move_to_store(const Set& set, HolderEntry& entry) noexcept;
  // A slot, frozen: a new one, or the one that the object had when it was dropped.
  Result<SlotId> slot_for(const Set& set, ObjectId object, std::size_t size) noexcept;
  // False: there is no store, or no room in it.
  bool take_slot(const Set& set, HolderEntry& entry, std::size_t size) noexcept;
  // Its place in the set's residence becomes the entry's block; false: there is none.
  bool take_place(const Set& set, HolderEntry& entry) noexcept;
  void settle_arrived(const Set& set, HolderEntry& entry, Arrived& data) noexcept;
  // It has no bytes any more, and nobody sees what it had.
  void leave(const Set& set, HolderEntry& entry) noexcept;
  // The entry's bytes on the heap are these from now on; none: it has none there.
  void set_heap(HolderEntry& entry, Block block) noexcept;
  void free(SlotId slot) noexcept;
  Block block_of(Arrived& data) noexcept;

  rpc::BufferPool& buffers_;
  NodeStore* store_ = nullptr;
  Cohorts* cohorts_ = nullptr;
  std::uint64_t heap_bytes_ = 0;                  // Of copies that lie in no slot.
  std::unordered_map<std::uint32_t, Lent> lent_;  // By slot; few.
};

}  // namespace krg::kddm

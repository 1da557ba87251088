// What krgd knows of its store, in memory of its own.
#pragma once

#include <memory>
#include <vector>

#include "data_area.h"
#include "index.h"
#include "krg/share/node_store.h"
#include "krg/shm/segment.h"
#include "lease_rules.h"
#include "tables.h"

namespace krg::kddm {

struct NodeStore::State {
  // Of a slot; beside its record, which tasks can not write either.
  struct Own {
    std::uint64_t kept_version = 0;  // Kept by the owner, as `kept`.
    std::uint32_t generation = 0;
    std::uint32_t next = 0;      // +1; of the free slots, or of the owner's list.
    std::uint32_t previous = 0;  // +1; of the owner's list.
    Access access = Access::none;
    std::uint8_t kept = 0;
    bool used : 1 = false;
    bool frozen : 1 = false;
    bool maybe_leased : 1 = false;  // It was leased when last looked at.
    bool waits : 1 = false;         // It is in `waiting`.
    bool picked : 1 = false;        // By the round for victims under way.
  };
  static_assert(sizeof(Own) == 24);
  // All that an object at rest costs in this process beside its bytes: the service keeps the rest
  // of what it knows here too. The index has no more buckets than objects.
  static_assert(sizeof(Own) + sizeof(Slot) + sizeof(Record) + sizeof(Bucket) <= 128);

  // In slabs: to grow moves nothing and leaves no room for more than a slab.
  class Owns {
   public:
    std::uint32_t size() const noexcept { return size_; }
    Own& operator[](std::uint32_t at) noexcept { return slabs_[at / kSlab][at % kSlab]; }
    void add_one() {
      if (size_ == slabs_.size() * kSlab) slabs_.push_back(std::make_unique<Own[]>(kSlab));
      ++size_;
    }

   private:
    static constexpr std::uint32_t kSlab = 1024;
    std::vector<std::unique_ptr<Own[]>> slabs_;
    std::uint32_t size_ = 0;
  };

  State(const StoreOptions& options, shm::Segment directory_segment, shm::Segment shared_segment);

  Own& own(SlotId slot) noexcept;
  // The word and the tables, as the rules see them.
  class Memory;
  Memory memory(SlotId slot) noexcept;

  SlotId take_slot();
  void drop_slot(SlotId slot);
  // Where the bytes of `size` are to lie. Errors: no_memory
  Status place(SlotId slot, std::uint64_t size);
  void unplace(SlotId slot);
  // Of its place in the data area; 0: in the slot itself.
  std::uint64_t capacity(SlotId slot) const noexcept;
  std::span<std::byte> bytes(SlotId slot) const noexcept;

  void note(SlotId slot, const Frozen& found);
  // The slots that some task reads, in order: what the tables say, once.
  void collect_readers(std::vector<std::uint32_t>& slots) const;
  bool idle(SlotId slot, const std::vector<std::uint32_t>& readers) noexcept;
  bool is_victim(SlotId slot, Access access, const std::vector<std::uint32_t>& readers) noexcept;

  const Geometry geometry;
  const std::uint64_t budget;
  const SharedMap map;
  shm::Segment directory;
  shm::Segment shared;
  DirectoryHeader* const header;
  Record* const records;
  Slot* const slots;
  Tables tables;
  Index index;
  DataArea area;
  ServingClock clock;

  Owns owns;                     // Of slots that have ever been used.
  std::uint32_t first_free = 0;  // +1; slots are used again in the order they were freed, so that
  std::uint32_t last_free = 0;   // generations last.
  std::uint32_t objects = 0;
  std::uint64_t used_bytes = 0;
  std::uint32_t hand = 0;  // Of the clock that finds victims.
  std::vector<SlotId> waiting;
  std::vector<bool> attached;
  std::size_t tasks_here = 0;
};

// The rules' memory, as krgd's.
class NodeStore::State::Memory {
 public:
  Memory(State& state, SlotId slot) noexcept
      : state_(state), slot_(state.slots[slot.value]), id_(slot) {}

  Word load_word() const noexcept { return Word(slot_.word.load()); }
  void store_word(Word word) noexcept { slot_.word.store(word.bits()); }
  bool cas_word(Word& expected, Word desired) noexcept {
    std::uint64_t bits = expected.bits();
    const bool done = slot_.word.compare_exchange_strong(bits, desired.bits());
    expected = Word(bits);
    return done;
  }
  Word set_word(std::uint64_t bits) noexcept { return Word(slot_.word.fetch_or(bits)); }
  Word clear_word(std::uint64_t bits) noexcept { return Word(slot_.word.fetch_and(~bits)); }
  void count_write() noexcept { slot_.version.fetch_add(1, std::memory_order_relaxed); }
  bool any_reader() const noexcept {
    return state_.tables.anybody_holds(state_.header->tasks.load(std::memory_order_relaxed),
                                       lease_entry(id_, LeaseKind::read));
  }
  // A number that is no task's is never a writer's.
  bool names_writer(TaskIndex task) const noexcept {
    return task.value < state_.attached.size() && state_.attached[task.value] &&
           state_.tables.holds(task, lease_entry(id_, LeaseKind::write));
  }

 private:
  State& state_;
  Slot& slot_;
  SlotId id_;
};

inline NodeStore::State::Memory NodeStore::State::memory(SlotId slot) noexcept {
  return Memory(*this, slot);
}

}  // namespace krg::kddm

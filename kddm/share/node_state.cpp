#include "node_state.h"

#include <algorithm>
#include <new>

namespace krg::kddm {
namespace {

template <class T>
T* at(const shm::Segment& segment, std::uint64_t offset, std::size_t count) {
  T* const found = segment.at(shm::Offset<T>{offset}, count);
  KRG_ASSERT(found != nullptr);
  return found;
}

}  // namespace

NodeStore::State::State(const StoreOptions& options, shm::Segment directory_segment,
                        shm::Segment shared_segment)
    : geometry(options.geometry),
      budget(options.budget_bytes),
      map(shared_map(geometry)),
      directory(std::move(directory_segment)),
      shared(std::move(shared_segment)),
      header(new (directory.bytes().data()) DirectoryHeader),
      records(at<Record>(directory, directory_map(geometry).records, geometry.slots)),
      slots(at<Slot>(shared, map.slots, geometry.slots)),
      tables(at<LeaseCounts>(shared, 0, geometry.tasks),
             at<LeaseTable>(shared, map.tables, geometry.tasks)),
      index(header, at<Bucket>(directory, directory_map(geometry).buckets, geometry.slots), records,
            geometry.slots),
      area(shared.fd(), map.data, geometry.data_bytes),
      clock(options.ticks),
      attached(geometry.tasks, false) {
  header->ticks_are_tsc = clock.ticks() == Ticks::processor ? 1 : 0;
}

NodeStore::State::Own& NodeStore::State::own(SlotId slot) noexcept {
  KRG_ASSERT(slot.value < owns.size());
  Own& found = owns[slot.value];
  KRG_ASSERT(found.used);
  return found;
}

// --- slots
// -----------------------------------------------------------------------------------------

SlotId NodeStore::State::take_slot() {
  SlotId slot = kNoSlot;
  if (first_free != 0) {
    slot = SlotId{first_free - 1};
    first_free = owns[slot.value].next;
    if (first_free == 0) last_free = 0;
  } else if (owns.size() < geometry.slots) {
    slot = SlotId{owns.size()};
    owns.add_one();
  } else {
    return kNoSlot;
  }
  const std::uint32_t generation = owns[slot.value].generation;
  owns[slot.value] = Own{};
  owns[slot.value].generation = generation;
  owns[slot.value].used = true;
  owns[slot.value].frozen = true;
  ++objects;
  return slot;
}

void NodeStore::State::drop_slot(SlotId slot) {
  Own& mine = own(slot);
  mine.used = false;
  mine.next = 0;
  if (last_free != 0) {
    owns[last_free - 1].next = slot.value + 1;
  } else {
    first_free = slot.value + 1;
  }
  last_free = slot.value + 1;
  --objects;
}

Status NodeStore::State::place(SlotId slot, std::uint64_t size) {
  Record& record = records[slot.value];
  if (size <= Slot::kSmallBytes) {
    record.offset.store(map.slots + slot.value * sizeof(Slot) + offsetof(Slot, small),
                        std::memory_order_release);
  } else {
    if (used_bytes + DataArea::capacity_of(size) > budget) {
      return Error(Errc::no_memory, "the store's budget is used up");
    }
    const auto taken = area.take(size);
    if (!taken) return Error(Errc::no_memory, "the store's address space is used up");
    used_bytes += taken->capacity;
    record.offset.store(map.data + taken->offset, std::memory_order_release);
  }
  record.size.store(static_cast<std::uint32_t>(size), std::memory_order_release);
  return {};
}

void NodeStore::State::unplace(SlotId slot) {
  const std::uint64_t bytes = capacity(slot);
  if (bytes == 0) return;
  area.release({records[slot.value].offset.load(std::memory_order_relaxed) - map.data, bytes});
  used_bytes -= bytes;
}

// A place is as large as its size wants: nothing else is to be remembered.
std::uint64_t NodeStore::State::capacity(SlotId slot) const noexcept {
  const std::uint32_t size = records[slot.value].size.load(std::memory_order_relaxed);
  return size <= Slot::kSmallBytes ? 0 : DataArea::capacity_of(size);
}

std::span<std::byte> NodeStore::State::bytes(SlotId slot) const noexcept {
  const Record& record = records[slot.value];
  return shared.bytes().subspan(record.offset.load(std::memory_order_relaxed),
                                record.size.load(std::memory_order_relaxed));
}

// --- who leases what
// -------------------------------------------------------------------------------

// Keeps what a look at a frozen object has found.
void NodeStore::State::note(SlotId slot, const Frozen& found) {
  Own& mine = own(slot);
  mine.maybe_leased = !found.idle();
  if (!mine.maybe_leased || mine.waits) return;
  mine.waits = true;
  waiting.push_back(slot);
}

void NodeStore::State::collect_readers(std::vector<std::uint32_t>& found) const {
  const std::uint32_t tasks = header->tasks.load(std::memory_order_relaxed);
  for (std::uint32_t task = 0; task < tasks; ++task) {
    tables.each(TaskIndex{task}, [&found](std::uint32_t entry) {
      if (!is_write(entry)) found.push_back(slot_of(entry).value);
      return false;
    });
  }
  std::sort(found.begin(), found.end());
}

// Whether nobody uses a frozen object, by tables that were looked at while it was frozen.
bool NodeStore::State::idle(SlotId slot, const std::vector<std::uint32_t>& readers) noexcept {
  Memory m = memory(slot);
  const Word word = m.load_word();
  if (word.has_writer()) return rules::look(m).idle();
  return !word.readers() || !std::binary_search(readers.begin(), readers.end(), slot.value);
}

bool NodeStore::State::is_victim(SlotId slot, Access access,
                                 const std::vector<std::uint32_t>& readers) noexcept {
  const Own& mine = owns[slot.value];
  if (!mine.used || mine.frozen || mine.picked || mine.access != access) return false;
  if (slots[slot.value].referenced.exchange(0, std::memory_order_relaxed) != 0) return false;
  if (memory(slot).load_word().has_writer()) return false;
  return !std::binary_search(readers.begin(), readers.end(), slot.value);
}

}  // namespace krg::kddm

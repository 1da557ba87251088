#include "krg/share/node_store.h"

#include <fcntl.h>
#include <linux/falloc.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "krg/shm/futex.h"
#include "node_state.h"

namespace krg::kddm {
namespace {

constexpr std::uint64_t kObjectBytesMax = std::uint64_t{1} << 30;

}  // namespace

NodeStore::NodeStore(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
NodeStore::NodeStore(NodeStore&&) noexcept = default;
NodeStore::~NodeStore() = default;

Result<NodeStore> NodeStore::create(const StoreOptions& options) {
  if (!is_sound(options.geometry) || options.budget_bytes > options.geometry.data_bytes) {
    return Error(Errc::invalid_argument, "a store can not be made so");
  }
  KRG_TRY_ASSIGN(shm::Segment directory,
                 shm::Segment::create("krg-directory", directory_map(options.geometry).bytes,
                                      shm::Segment::Writers::creator));
  KRG_TRY_ASSIGN(shm::Segment shared,
                 shm::Segment::create("krg-store", shared_map(options.geometry).bytes));
  return NodeStore(std::make_unique<State>(options, std::move(directory), std::move(shared)));
}

const Geometry& NodeStore::geometry() const noexcept { return state_->geometry; }
int NodeStore::directory_fd() const noexcept { return state_->directory.fd(); }
int NodeStore::shared_fd() const noexcept { return state_->shared.fd(); }
std::size_t NodeStore::tasks() const noexcept { return state_->tasks_here; }

// --- tasks
// -----------------------------------------------------------------------------------------

Result<TaskIndex> NodeStore::attach() {
  State& s = *state_;
  const auto free = std::find(s.attached.begin(), s.attached.end(), false);
  if (free == s.attached.end()) return Error(Errc::limit_reached, "too many tasks on this node");
  *free = true;
  ++s.tasks_here;
  const auto index = static_cast<std::uint32_t>(free - s.attached.begin());
  if (index >= s.header->tasks.load(std::memory_order_relaxed)) s.header->tasks.store(index + 1);
  return TaskIndex{index};
}

NodeStore::Released NodeStore::release_all(TaskIndex task) {
  State& s = *state_;
  KRG_ASSERT(task.value < s.attached.size() && s.attached[task.value]);
  Released released;
  LeaseEntry* const entries = s.tables.entries(task);
  // All of the table, whatever its counts say.
  std::vector<SlotId> written;
  for (std::uint32_t i = 0; i < LeaseTable::kEntries; ++i) {
    const std::uint32_t entry = entries[i].exchange(0);
    if (entry != 0 && is_write(entry)) written.push_back(slot_of(entry));
  }
  for (const SlotId slot : written) {
    if (slot.value >= s.owns.size() || !s.owns[slot.value].used) continue;
    auto m = s.memory(slot);
    if (rules::end_dead_writer(m, task)) released.torn.push_back(slot);
  }
  s.tables.counts(task).own_lines.store(0);
  s.tables.counts(task).grant_lines.store(0);
  s.attached[task.value] = false;
  --s.tasks_here;
  // The table's memory, if the system takes it back; it is all zeros already.
  (void)::fallocate(s.shared.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
                    static_cast<off_t>(s.map.tables + task.value * sizeof(LeaseTable)),
                    static_cast<off_t>(sizeof(LeaseTable)));
  sweep(released.idle);
  return released;
}

// --- slots
// -----------------------------------------------------------------------------------------

Result<SlotId> NodeStore::allocate(SetId set, ObjectId object, std::uint64_t size) {
  State& s = *state_;
  if (set == kNoSet) return Error(Errc::invalid_argument, "an object of no set");
  if (size > kObjectBytesMax) return Error(Errc::too_large, "an object above 1 GiB");
  if (s.index.find(set, object) != kNoSlot) return Error(Errc::already_exists);
  const SlotId slot = s.take_slot();
  if (slot == kNoSlot) return Error(Errc::limit_reached, "too many objects on this node");
  if (auto placed = s.place(slot, size); !placed) {
    s.drop_slot(slot);
    return placed.error();
  }
  Slot& shared = s.slots[slot.value];
  shared.version.store(0, std::memory_order_relaxed);
  shared.referenced.store(1, std::memory_order_relaxed);
  auto m = s.memory(slot);
  m.store_word(Word(Access::none, s.own(slot).generation).with(Word::kContended));
  s.records[slot.value].object.store(object.value, std::memory_order_release);
  s.records[slot.value].set.store(set.value, std::memory_order_release);
  s.index.insert(slot);
  return slot;
}

Status NodeStore::resize(SlotId slot, std::uint64_t size) {
  State& s = *state_;
  State::Own& mine = s.own(slot);
  KRG_ASSERT(mine.frozen);
  if (size > kObjectBytesMax) return Error(Errc::too_large, "an object above 1 GiB");
  if (!look(slot).idle()) return Error(Errc::would_block, "the object is in use");
  const std::uint64_t capacity = s.capacity(slot);
  const bool small = size <= Slot::kSmallBytes;
  if (capacity == 0 ? small : !small && DataArea::capacity_of(size) == capacity) {
    s.records[slot.value].size.store(static_cast<std::uint32_t>(size), std::memory_order_release);
    return {};
  }
  const std::span<std::byte> before = s.bytes(slot);
  const std::uint64_t offset = s.records[slot.value].offset.load(std::memory_order_relaxed);
  if (auto placed = s.place(slot, size); !placed) return placed;
  const std::span<std::byte> after = s.bytes(slot);
  if (!before.empty() && !after.empty()) {
    std::memcpy(after.data(), before.data(), std::min(before.size(), after.size()));
  }
  if (capacity != 0) {
    s.area.release({offset - s.map.data, capacity});
    s.used_bytes -= capacity;
  }
  return {};
}

Status NodeStore::free(SlotId slot) {
  State& s = *state_;
  State::Own& mine = s.own(slot);
  KRG_ASSERT(mine.frozen);
  KRG_ASSERT(mine.kept == 0);
  if (!look(slot).idle()) return Error(Errc::would_block, "the object is in use");
  if (mine.waits) {
    s.waiting.erase(std::find(s.waiting.begin(), s.waiting.end(), slot));
    mine.waits = false;
  }
  s.index.erase(slot);
  const bool fought_for = is_fought_for(slot);
  // The set goes before the generation changes: who sees the new generation does not find the old
  // ids with it.
  s.records[slot.value].set.store(kNoSet.value, std::memory_order_release);
  ++mine.generation;
  auto m = s.memory(slot);
  m.store_word(Word(Access::none, mine.generation).with(Word::kContended));
  if (fought_for) {
    Slot& shared = s.slots[slot.value];
    shared.sleepers.store(0);
    shared.slept.store(0);
    shared.ends.fetch_add(1);
    shm::futex_wake(shared.ends, shm::kEveryone);
  }
  s.unplace(slot);
  s.drop_slot(slot);
  return {};
}

SlotId NodeStore::find(SetId set, ObjectId object) const noexcept {
  return state_->index.find(set, object);
}
bool NodeStore::in_use(SlotId slot) const noexcept {
  return slot.value < state_->owns.size() && state_->owns[slot.value].used;
}
Handle NodeStore::handle(SlotId slot) const noexcept {
  return {slot, state_->own(slot).generation};
}
SetId NodeStore::set_of(SlotId slot) const noexcept {
  return SetId{state_->records[slot.value].set.load(std::memory_order_relaxed)};
}
ObjectId NodeStore::object_of(SlotId slot) const noexcept {
  return ObjectId{state_->records[slot.value].object.load(std::memory_order_relaxed)};
}
Access NodeStore::access(SlotId slot) const noexcept { return state_->own(slot).access; }
bool NodeStore::is_frozen(SlotId slot) const noexcept { return state_->own(slot).frozen; }
std::span<std::byte> NodeStore::bytes(SlotId slot) const noexcept { return state_->bytes(slot); }
std::uint64_t NodeStore::file_offset(SlotId slot) const noexcept {
  return state_->records[slot.value].offset.load(std::memory_order_relaxed);
}
void NodeStore::set_version(SlotId slot, std::uint64_t version) noexcept {
  KRG_ASSERT(state_->own(slot).frozen);
  state_->slots[slot.value].version.store(version, std::memory_order_relaxed);
}

// --- what the owner keeps
// ------------------------------------------------------------------------

void NodeStore::keep(SlotId slot, const Kept& kept, SlotId& first) noexcept {
  State::Own& mine = state_->own(slot);
  KRG_ASSERT(mine.kept == 0);
  KRG_ASSERT(kept.what != 0);
  mine.kept = kept.what;
  mine.kept_version = kept.version;
  mine.previous = 0;
  mine.next = first == kNoSlot ? 0 : first.value + 1;
  if (mine.next != 0) state_->owns[first.value].previous = slot.value + 1;
  first = slot;
}

Kept NodeStore::take_kept(SlotId slot, SlotId& first) noexcept {
  State::Own& mine = state_->own(slot);
  KRG_ASSERT(mine.kept != 0);
  if (mine.next != 0) state_->owns[mine.next - 1].previous = mine.previous;
  if (mine.previous != 0) {
    state_->owns[mine.previous - 1].next = mine.next;
  } else {
    KRG_ASSERT(first == slot);
    first = mine.next == 0 ? kNoSlot : SlotId{mine.next - 1};
  }
  mine.next = mine.previous = 0;
  return {std::exchange(mine.kept, std::uint8_t{0}), mine.kept_version};
}

Kept NodeStore::kept(SlotId slot) const noexcept {
  const State::Own& mine = state_->own(slot);
  return {mine.kept, mine.kept_version};
}

SlotId NodeStore::next_kept(SlotId slot) const noexcept {
  const std::uint32_t next = state_->own(slot).next;
  return next == 0 ? kNoSlot : SlotId{next - 1};
}

// --- leases
// ----------------------------------------------------------------------------------------

Frozen NodeStore::freeze(SlotId slot) {
  State& s = *state_;
  State::Own& mine = s.own(slot);
  if (!mine.frozen) {
    mine.frozen = true;
    mine.maybe_leased = true;
    auto m = s.memory(slot);
    m.set_word(Word::kContended);
  }
  return look(slot);
}

Frozen NodeStore::look(SlotId slot) const {
  State& s = *state_;
  KRG_ASSERT(s.own(slot).frozen);
  Frozen found;
  // Once nobody uses a frozen object nobody does until it is thawed or granted. A second look could
  // see the entry of a reader that saw the word before it was frozen, and is about to give way.
  if (s.own(slot).maybe_leased) {
    auto m = s.memory(slot);
    found = rules::look(m);
  }
  found.version = s.slots[slot.value].version.load(std::memory_order_relaxed);
  s.note(slot, found);
  return found;
}

Status NodeStore::thaw(SlotId slot, Access access) {
  State& s = *state_;
  State::Own& mine = s.own(slot);
  KRG_ASSERT(mine.frozen);
  const Frozen left = look(slot);
  auto m = s.memory(slot);
  if (!rules::thaw(m, left, access, mine.generation)) {
    return Error(Errc::would_block, "the object is in use");
  }
  mine.access = access;
  mine.frozen = false;
  mine.maybe_leased = false;
  return {};
}

Result<Grant> NodeStore::grant(SlotId slot, TaskIndex task, LeaseKind kind) {
  State& s = *state_;
  KRG_ASSERT(s.own(slot).frozen);
  KRG_ASSERT(task.value < s.attached.size() && s.attached[task.value]);
  const Frozen now = look(slot);
  if (now.writer != kNoTask || (kind == LeaseKind::write && now.readers)) {
    return Error(Errc::would_block, "the object is in use");
  }
  const std::uint32_t value = lease_entry(slot, kind);
  LeaseEntry* const entries = s.tables.entries(task);
  std::uint32_t entry = LeaseTable::kFirstGrant;
  for (std::uint32_t empty = 0;; ++entry, empty = 0) {
    if (entry == LeaseTable::kEntries) {
      return Error(Errc::limit_reached, "the task has too many leases");
    }
    if (entries[entry].load() == 0 && entries[entry].compare_exchange_strong(empty, value)) break;
  }
  const auto lines =
      static_cast<std::uint16_t>((entry - LeaseTable::kFirstGrant) / LeaseTable::kLineEntries + 1);
  auto& noted = s.tables.counts(task).grant_lines;
  if (noted.load() < lines) noted.store(lines);
  auto m = s.memory(slot);
  rules::let_in(m, kind, task);
  s.slots[slot.value].referenced.store(1, std::memory_order_relaxed);
  s.note(slot, Frozen{kind == LeaseKind::read, kind == LeaseKind::write ? task : kNoTask, 0});
  return Grant{handle(slot), entry, kind};
}

void NodeStore::withdraw(TaskIndex task, const Grant& grant) {
  State& s = *state_;
  const SlotId slot = grant.handle.slot;
  if (task.value >= s.attached.size() || !s.attached[task.value] || !in_use(slot) ||
      grant.entry >= LeaseTable::kEntries || handle(slot) != grant.handle) {
    return;
  }
  std::uint32_t value = lease_entry(slot, grant.kind);
  LeaseEntry& entry = s.tables.entries(task)[grant.entry];
  if (entry.load() != value) return;
  auto m = s.memory(slot);
  if (grant.kind == LeaseKind::write && m.load_word().writer() == task) {
    m.clear_word(Word::kWriterMask);
  }
  entry.compare_exchange_strong(value, 0);
}

void NodeStore::sweep(std::vector<SlotId>& idle) {
  State& s = *state_;
  if (s.waiting.empty()) return;
  std::vector<std::uint32_t> readers;
  s.collect_readers(readers);
  const auto ended = [&](SlotId slot) {
    State::Own& mine = s.own(slot);
    // Whoever has thawed it or looked at it since knows already.
    if (mine.frozen && mine.maybe_leased) {
      if (!s.idle(slot, readers)) return false;
      mine.maybe_leased = false;
      idle.push_back(slot);
    }
    mine.waits = false;
    return true;
  };
  std::erase_if(s.waiting, ended);
}

std::vector<Leased> NodeStore::leases_of(TaskIndex task) const {
  State& s = *state_;
  KRG_ASSERT(task.value < s.attached.size() && s.attached[task.value]);
  std::vector<Leased> leases;
  s.tables.each(task, [&](std::uint32_t entry) {
    const SlotId slot = slot_of(entry);
    if (!in_use(slot)) return false;
    const auto kind = is_write(entry) ? LeaseKind::write : LeaseKind::read;
    // Who is about to write has an entry too, and gives way perhaps.
    const Word word = s.memory(slot).load_word();
    const bool has = kind == LeaseKind::write ? word.writer() == task : word.readers();
    if (has) leases.push_back({slot, kind});
    return false;
  });
  return leases;
}

bool NodeStore::is_fought_for(SlotId slot) const noexcept {
  const Slot& shared = state_->slots[slot.value];
  return shared.sleepers.load() != 0 || shared.slept.load(std::memory_order_relaxed) != 0;
}

void NodeStore::fight_for(SlotId slot) noexcept {
  state_->slots[slot.value].slept.store(1, std::memory_order_relaxed);
}

std::size_t NodeStore::waiting() const noexcept { return state_->waiting.size(); }

// --- memory and time
// -------------------------------------------------------------------------------

std::uint64_t NodeStore::bytes_used() const noexcept { return state_->used_bytes; }
std::uint64_t NodeStore::bytes_budget() const noexcept { return state_->budget; }
std::size_t NodeStore::objects() const noexcept { return state_->objects; }

void NodeStore::victims(std::uint64_t bytes, std::size_t slots, std::vector<SlotId>& out,
                        Access access) {
  State& s = *state_;
  std::vector<std::uint32_t> readers;
  s.collect_readers(readers);
  const std::uint32_t all = s.owns.size();
  const std::size_t before = out.size();
  std::uint64_t found = 0;
  for (std::uint64_t step = 0; step < 2 * std::uint64_t{all}; ++step) {
    const bool enough = out.size() - before >= slots;
    if (enough && found >= bytes) break;
    if (s.hand >= all) s.hand = 0;
    const SlotId slot{s.hand++};
    if (!s.is_victim(slot, access, readers)) continue;
    // One that frees no bytes is no help where only bytes are wanted.
    const std::uint64_t capacity = s.capacity(slot);
    if (enough && capacity == 0) continue;
    s.owns[slot.value].picked = true;
    found += capacity;
    out.push_back(slot);
  }
  for (std::size_t i = before; i < out.size(); ++i) s.owns[out[i].value].picked = false;
}

void NodeStore::serve_until(TimePoint until) noexcept {
  state_->header->serve_until.store(state_->clock.tick_at(until));
}

}  // namespace krg::kddm

#include "krg/share/local_store.h"

#include <pthread.h>
#include <sys/mman.h>

#include <algorithm>

#include "index.h"
#include "lease_rules.h"
#include "node_state.h"
#include "tables.h"

namespace krg::kddm {
namespace {

constexpr std::uint32_t kNoEntry = 0xffffffffu;
constexpr std::size_t kSeats = 512;  // A power of two.
constexpr std::size_t kSeatProbes = 8;

std::uint64_t thread_number() noexcept { return ::pthread_self(); }

template <class T>
T* at(std::span<std::byte> segment, std::uint64_t offset) noexcept {
  return reinterpret_cast<T*>(segment.data() + offset);
}

}  // namespace

// A thread has the seat for as long as it lives, and the next one of the same number after it.
struct LocalStore::Seat {
  std::atomic<std::uint64_t> thread{0};
  Line line;  // Read by that thread alone.
};

// By the line of the table that the lease is in, which is mostly one thread's: so no two threads
// write one cache line, and no instruction is locked.
struct alignas(64) LocalStore::LineHits {
  std::atomic<std::uint64_t> reads{0};
  std::atomic<std::uint64_t> writes{0};
};

// The rules' memory, as a task's.
class LocalStore::TaskMemory {
 public:
  TaskMemory(LocalStore& store, SlotId slot, LeaseKind kind,
             std::uint32_t entry = kNoEntry) noexcept
      : store_(store), slot_(store.slots_[slot.value]), id_(slot), kind_(kind), entry_(entry) {}

  std::uint32_t entry() const noexcept { return entry_; }
  TaskIndex task() const noexcept { return store_.task_; }
  Word load_word() const noexcept { return Word(slot_.word.load()); }
  bool cas_word(Word& expected, Word desired) noexcept {
    std::uint64_t bits = expected.bits();
    const bool done = slot_.word.compare_exchange_strong(bits, desired.bits());
    expected = Word(bits);
    return done;
  }
  Word clear_word(std::uint64_t bits) noexcept { return Word(slot_.word.fetch_and(~bits)); }
  bool publish(LeaseKind kind) noexcept {
    const std::uint32_t value = lease_entry(id_, kind);
    entry_ = kind == LeaseKind::write ? store_.claim_to_write(value) : store_.claim(value);
    return entry_ != kNoEntry;
  }
  // What a writer's entry is worth is said by the word, whose change it follows.
  void unpublish() noexcept {
    if (kind_ == LeaseKind::write) {
      store_.mine_[entry_].store(0, std::memory_order_release);
    } else {
      store_.mine_[entry_].exchange(0);
    }
  }
  bool any_reader() const noexcept {
    return Tables(store_.counts_, store_.tables_)
        .anybody_holds(store_.header_->tasks.load(std::memory_order_relaxed),
                       lease_entry(id_, LeaseKind::read));
  }
  // Nobody else writes it while a writer is there.
  void count_write() noexcept {
    slot_.version.store(slot_.version.load(std::memory_order_relaxed) + 1,
                        std::memory_order_relaxed);
  }
  void ring() noexcept {
    if (store_.doorbell_.ring != nullptr) store_.doorbell_.ring(store_.doorbell_.who);
  }

 private:
  LocalStore& store_;
  Slot& slot_;
  SlotId id_;
  LeaseKind kind_;
  std::uint32_t entry_;
};

// --- opening
// ---------------------------------------------------------------------------------------

// Requires  the segments are as large as the geometry says.
Status LocalStore::find_places(std::span<std::byte> directory, std::span<std::byte> shared,
                               const Geometry& geometry, TaskIndex task) {
  const DirectoryMap in_directory = directory_map(geometry);
  const SharedMap in_shared = shared_map(geometry);
  geometry_ = geometry;
  task_ = task;
  header_ = at<DirectoryHeader>(directory, 0);
  if (header_->magic != DirectoryHeader::kMagic) {
    return Error(Errc::protocol_error, "what was passed is not a store");
  }
  ticks_ = header_->ticks_are_tsc != 0 ? Ticks::processor : Ticks::monotonic;
  buckets_ = at<Bucket>(directory, in_directory.buckets);
  records_ = at<Record>(directory, in_directory.records);
  counts_ = at<LeaseCounts>(shared, 0);
  tables_ = at<LeaseTable>(shared, in_shared.tables);
  slots_ = at<Slot>(shared, in_shared.slots);
  mine_ = tables_[task.value].entries;
  shared_bytes_ = shared.data();
  return {};
}

Status LocalStore::make_own_pages() {
  seats_ = std::make_unique<Seat[]>(kSeats);
  line_hits_ = std::make_unique<LineHits[]>(LeaseTable::kOwnLines);
  void* const page =
      ::mmap(nullptr, kStorePage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return errno_error(Errc::no_memory, "a page of the store");
  here_ = new (page) std::atomic<std::uint32_t>(1);
  if (::madvise(page, kStorePage, MADV_WIPEONFORK) != 0) {
    return errno_error(Errc::system_error, "a page that a child does not inherit");
  }
  return {};
}

Result<std::unique_ptr<LocalStore>> LocalStore::open(Pass pass, Doorbell doorbell) {
  const Geometry& g = pass.geometry;
  if (!is_sound(g) || pass.task.value >= g.tasks) {
    return Error(Errc::protocol_error, "a store's numbers make no sense");
  }
  std::unique_ptr<LocalStore> store(new LocalStore);
  store->doorbell_ = doorbell;
  KRG_TRY_ASSIGN(store->directory_,
                 shm::Segment::adopt(std::move(pass.directory), directory_map(g).bytes,
                                     shm::Segment::Access::read_only));
  KRG_TRY_ASSIGN(store->shared_, shm::Segment::adopt(std::move(pass.shared), shared_map(g).bytes));
  store->shared_fd_ = store->shared_.fd();
  KRG_TRY(store->find_places(store->directory_.bytes(), store->shared_.bytes(), g, pass.task));
  KRG_TRY(store->make_own_pages());
  return store;
}

Result<std::unique_ptr<LocalStore>> LocalStore::open_in_krgd(const NodeStore& node, TaskIndex task,
                                                             Doorbell doorbell) {
  const NodeStore::State& state = *node.state_;
  KRG_ASSERT(task.value < state.attached.size() && state.attached[task.value]);
  std::unique_ptr<LocalStore> store(new LocalStore);
  store->doorbell_ = doorbell;
  store->shared_fd_ = state.shared.fd();
  KRG_TRY(store->find_places(state.directory.bytes(), state.shared.bytes(), state.geometry, task));
  KRG_TRY(store->make_own_pages());
  return store;
}

LocalStore::~LocalStore() {
  if (here_ != nullptr) ::munmap(here_, kStorePage);
}

// --- lease table
// -----------------------------------------------------------------------------------

std::uint32_t LocalStore::claim_in(std::uint32_t line, std::uint32_t value) noexcept {
  const std::uint32_t first = line * LeaseTable::kLineEntries;
  for (std::uint32_t i = first + 1; i < first + LeaseTable::kLineEntries; ++i) {
    if (mine_[i].load(std::memory_order_relaxed) != 0) continue;
    // Threads may share a line, when there are more threads than lines.
    std::uint32_t empty = 0;
    if (mine_[i].compare_exchange_strong(empty, value)) return i;
  }
  return kNoEntry;
}

// A thread with more leases than a line holds puts them where there is room.
std::uint32_t LocalStore::claim_anywhere(std::uint32_t value) noexcept {
  for (std::uint32_t line = 0; line < LeaseTable::kOwnLines; ++line) {
    note_line(line);
    const std::uint32_t entry = claim_in(line, value);
    if (entry != kNoEntry) return entry;
  }
  return kNoEntry;
}

std::uint32_t LocalStore::claim(std::uint32_t value) noexcept {
  const std::uint32_t entry = claim_in(line_of_thread().number, value);
  return entry != kNoEntry ? entry : claim_anywhere(value);
}

// Nobody but this thread fills the first entry of its line, so the store needs no lock; the change
// of the word that follows puts it before that for everybody. Requires: no signal handler takes a
// lease in between and keeps it.
std::uint32_t LocalStore::claim_to_write(std::uint32_t value) noexcept {
  const Line line = line_of_thread();
  const std::uint32_t own = line.number * LeaseTable::kLineEntries;
  if (!line.alone || mine_[own].load(std::memory_order_acquire) != 0) return claim(value);
  mine_[own].store(value, std::memory_order_release);
  return own;
}

// Others look at a line only if it is noted: so before anything is published in it.
void LocalStore::note_line(std::uint32_t line) noexcept {
  std::atomic<std::uint16_t>& lines = counts_[task_.value].own_lines;
  std::uint16_t noted = lines.load();
  while (noted <= line &&
         !lines.compare_exchange_weak(noted, static_cast<std::uint16_t>(line + 1))) {
  }
}

// A table of our own instead of a thread_local: that would cost a call in a shared library, and be
// one for all stores.
LocalStore::Line LocalStore::line_of_thread() noexcept {
  const std::uint64_t self = thread_number();
  const std::uint64_t hash = (self * 0x9e3779b97f4a7c15u) >> 32;
  for (std::size_t i = 0; i < kSeatProbes; ++i) {
    Seat& seat = seats_[(hash + i) % kSeats];
    std::uint64_t there = seat.thread.load(std::memory_order_relaxed);
    if (there == self) return seat.line;
    if (there != 0) continue;
    if (!seat.thread.compare_exchange_strong(there, self)) continue;
    const std::uint32_t given = lines_given_.fetch_add(1);
    seat.line = {given % LeaseTable::kOwnLines, given < LeaseTable::kOwnLines};
    note_line(seat.line.number);
    return seat.line;
  }
  const auto shared = static_cast<std::uint32_t>(hash % LeaseTable::kOwnLines);
  note_line(shared);
  return {shared, false};
}

// --- lookup
// ----------------------------------------------------------------------------------------

Handle LocalStore::find(SetId set, ObjectId object) const noexcept {
  const std::uint64_t hash = hash_of(set, object);
  const std::uint64_t buckets = header_->buckets.load(std::memory_order_acquire);
  std::uint32_t link = buckets_[bucket_of(buckets, hash)].load(std::memory_order_acquire);
  for (int steps = 0; link != 0 && steps < kChainMax; ++steps) {
    const SlotId slot{link - 1};
    const Record& record = records_[slot.value];
    if (is_of(record, set, object)) {
      // The ids are looked at again after the generation: krgd clears them before it changes that,
      // so they are of this use of the slot or of a later one, which no lease is given for.
      const Word word(slots_[slot.value].word.load(std::memory_order_acquire));
      if (!is_of(record, set, object)) return {};
      return {slot, word.generation()};
    }
    link = record.next.load(std::memory_order_acquire);
  }
  return {};
}

bool LocalStore::has(SetId set, ObjectId object) const noexcept {
  const Handle handle = find(set, object);
  if (!handle) return false;
  const Word word(slots_[handle.slot.value].word.load(std::memory_order_acquire));
  return word.readable() && word.generation() == handle.generation;
}

// The node's lease may end right after this: the object is what it was at this instant, and that
// is what a local hit means.
bool LocalStore::serving() const noexcept {
  return ticks_now(ticks_) < header_->serve_until.load(std::memory_order_acquire);
}

// --- leases
// ----------------------------------------------------------------------------------------

void LocalStore::fill(LocalLease& lease, SlotId slot, std::uint32_t entry) noexcept {
  const Record& record = records_[slot.value];
  lease.store_ = this;
  lease.slot_ = slot;
  lease.entry_ = entry;
  lease.miss_ = Miss::none;
  lease.bytes_ = {shared_bytes_ + record.offset.load(std::memory_order_relaxed),
                  record.size.load(std::memory_order_relaxed)};
  std::atomic<std::uint32_t>& referenced = slots_[slot.value].referenced;
  if (referenced.load(std::memory_order_relaxed) == 0) {
    referenced.store(1, std::memory_order_relaxed);
  }
}

Miss LocalStore::why_not_begin(Handle handle) const noexcept {
  if (!here()) return Miss::forked;
  if (handle.slot.value >= geometry_.slots) return Miss::absent;
  return serving() ? Miss::none : Miss::expired;
}

void LocalStore::count_hit(std::uint32_t entry, bool writes) noexcept {
  LineHits& line = line_hits_[entry / LeaseTable::kLineEntries];
  std::atomic<std::uint64_t>& count = writes ? line.writes : line.reads;
  count.store(count.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

LocalStore::Hits LocalStore::hits() const noexcept {
  Hits all;
  for (std::uint32_t line = 0; line < LeaseTable::kOwnLines; ++line) {
    all.reads += line_hits_[line].reads.load(std::memory_order_relaxed);
    all.writes += line_hits_[line].writes.load(std::memory_order_relaxed);
  }
  return all;
}

ReadLease LocalStore::try_read(Handle handle) noexcept {
  ReadLease lease;
  lease.miss_ = why_not_begin(handle);
  if (lease.miss_ != Miss::none) return lease;
  TaskMemory m(*this, handle.slot, LeaseKind::read);
  lease.miss_ = rules::begin_read(m, handle.generation);
  if (lease.miss_ == Miss::none) {
    fill(lease, handle.slot, m.entry());
    count_hit(m.entry(), false);
  }
  return lease;
}

WriteLease LocalStore::try_write(Handle handle) noexcept {
  WriteLease lease;
  lease.miss_ = why_not_begin(handle);
  if (lease.miss_ != Miss::none) return lease;
  TaskMemory m(*this, handle.slot, LeaseKind::write);
  lease.miss_ = rules::begin_write(m, handle.generation);
  if (lease.miss_ == Miss::none) {
    fill(lease, handle.slot, m.entry());
    count_hit(m.entry(), true);
  }
  return lease;
}

ReadLease LocalStore::try_read(SetId set, ObjectId object) noexcept {
  return try_read(find(set, object));
}

WriteLease LocalStore::try_write(SetId set, ObjectId object) noexcept {
  return try_write(find(set, object));
}

void LocalStore::adopt(LocalLease& lease, const Grant& grant, LeaseKind kind) noexcept {
  const SlotId slot = grant.handle.slot;
  if (!here()) {
    lease.miss_ = Miss::forked;
    return;
  }
  if (grant.kind != kind || slot.value >= geometry_.slots || grant.entry >= LeaseTable::kEntries ||
      mine_[grant.entry].load() != lease_entry(slot, kind)) {
    return;
  }
  // What krgd did for us is seen by us.
  (void)slots_[slot.value].word.load();
  fill(lease, slot, grant.entry);
}

ReadLease LocalStore::adopt_read(const Grant& grant) noexcept {
  ReadLease lease;
  adopt(lease, grant, LeaseKind::read);
  return lease;
}

WriteLease LocalStore::adopt_write(const Grant& grant) noexcept {
  WriteLease lease;
  adopt(lease, grant, LeaseKind::write);
  return lease;
}

std::uint64_t LocalStore::file_offset(const LocalLease& lease) const noexcept {
  return records_[lease.slot().value].offset.load(std::memory_order_relaxed);
}

void ReadLease::finish() noexcept {
  LocalStore* const store = std::exchange(store_, nullptr);
  if (!store->here()) return;  // A child's copy ends nothing of its parent's.
  LocalStore::TaskMemory m(*store, slot_, LeaseKind::read, entry_);
  rules::end_read(m);
}

void WriteLease::finish() noexcept {
  LocalStore* const store = std::exchange(store_, nullptr);
  if (!store->here()) return;
  LocalStore::TaskMemory m(*store, slot_, LeaseKind::write, entry_);
  rules::end_write(m);
  Slot& slot = store->slots_[slot_.value];
  if (slot.sleepers.load() != 0) [[unlikely]]
    LocalStore::wake_sleeper(slot);
}

}  // namespace krg::kddm

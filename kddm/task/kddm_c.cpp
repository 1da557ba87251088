// The functions of krg/task/kddm.h about leases and objects.
#include <algorithm>
#include <cstring>
#include <new>
#include <string>
#include <utility>
#include <variant>

#include "kddm_c_impl.h"

using namespace krg;
using namespace krg::kddm;
using namespace krg::kddm::c;

struct krg_kddm_range {
  std::variant<ReadRange, WriteRange> range;
  krg_kddm_space* space = nullptr;
  SetId set;
};

struct krg_kddm_prefetched {
  Prefetch prefetch;
  SetId set;
};

struct krg_kddm_snapshot {
  TaskSnapshot snapshot;
};

namespace krg::kddm::c {
namespace {

thread_local std::string last_message;

std::string named(SetId set) { return "set " + std::to_string(set.value); }

}  // namespace

int fail(const std::string& what, const Error& error) {
  last_message = what + ": " + error.message();
  return to_errno(error.code());
}
int fail_set(SetId set, const Error& error) { return fail(named(set), error); }
int fail_object(SetId set, ObjectId object, const Error& error) {
  return fail("object " + std::to_string(object.value) + " of " + named(set), error);
}

krg_kddm_lease* LeasePool::take() noexcept {
  const std::scoped_lock lock(mutex_);
  if (free_.size() > kResting) {
    krg_kddm_lease* const lease = free_.front();
    free_.pop_front();
    return lease;
  }
  return &all_.emplace_back();
}

void LeasePool::give(krg_kddm_lease& lease) noexcept {
  const std::scoped_lock lock(mutex_);
  free_.push_back(&lease);
}

Use use_of(const krg_kddm_space* space, unsigned flags) {
  Use use;
  use.timeout = std::chrono::milliseconds(space->timeout_ms.load(std::memory_order_relaxed));
  use.try_only = (flags & KRG_KDDM_TRY) != 0;
  use.no_touch = (flags & KRG_KDDM_NO_TOUCH) != 0;
  use.manual_touch = (flags & KRG_KDDM_MANUAL_TOUCH) != 0;
  return use;
}

}  // namespace krg::kddm::c

namespace {

int fail_lease(const krg_kddm_lease* lease, const char* why) {
  const Error error(Errc::invalid_argument, why);
  if (lease == nullptr) return fail("a lease", error);
  return fail_object(lease->set, lease->object, error);
}
constexpr const char* kNotHeld = "a lease that is not held: it was put before";

// Its object is its own caller's from now on. False: nobody holds it.
bool take_over(krg_kddm_lease* lease) { return lease != nullptr && lease->held.exchange(false); }

void give_back(krg_kddm_lease& lease) {
  lease.lease.emplace<ReadLease>();
  lease.space->leases.give(lease);
}

template <class Range>
int begin(krg_kddm_space* space, SetId set, Range begun, krg_kddm_range** range) {
  *range = new (std::nothrow) krg_kddm_range{std::move(begun), space, set};
  return *range == nullptr ? fail_set(set, Error(Errc::no_memory)) : 0;
}

int hand_out_next(krg_kddm_range& of, ReadRange& range, krg_kddm_lease** lease, void** bytes,
                  std::size_t* size) {
  const void* content = nullptr;
  const ObjectId object = range.object();
  const int error = hand_out(of.space, of.set, object, range.next(), lease, &content, size);
  if (error == 0 && bytes != nullptr) *bytes = const_cast<void*>(content);
  return error;
}
int hand_out_next(krg_kddm_range& of, WriteRange& range, krg_kddm_lease** lease, void** bytes,
                  std::size_t* size) {
  const ObjectId object = range.object();
  return hand_out(of.space, of.set, object, range.next(), lease, bytes, size);
}

}  // namespace

// --- Leases -------------------------------------------------------------------------------------

int krg_kddm_get(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                 krg_kddm_lease** lease, const void** bytes, size_t* size) {
  const SetId of{set};
  const ObjectId id{object};
  return hand_out(space, of, id, space->space->get(of, id, use_of(space, flags)), lease, bytes,
                  size);
}

int krg_kddm_grab(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                  krg_kddm_lease** lease, void** bytes, size_t* size) {
  const SetId of{set};
  const ObjectId id{object};
  return hand_out(space, of, id, space->space->grab(of, id, use_of(space, flags)), lease, bytes,
                  size);
}

int krg_kddm_resize(krg_kddm_space* space, krg_kddm_lease* lease, size_t size, void** bytes) {
  if (lease == nullptr || !lease->held) return fail_lease(lease, kNotHeld);
  auto* const write = std::get_if<WriteLease>(&lease->lease);
  if (write == nullptr) return fail_lease(lease, "a lease that does not write");
  const Status how = space->space->resize(*write, size);
  if (bytes != nullptr) *bytes = write->bytes().data();
  return done(how, lease->set, lease->object);
}

int krg_kddm_put(krg_kddm_lease* lease) {
  if (!take_over(lease)) return fail_lease(lease, kNotHeld);
  give_back(*lease);
  return 0;
}

int krg_kddm_snapshot_of(krg_kddm_lease* lease, krg_kddm_snapshot** snapshot, void** bytes,
                         size_t* size) {
  if (!take_over(lease)) return fail_lease(lease, kNotHeld);
  Result<TaskSnapshot> kept =
      std::visit([](auto& of_kind) { return copy_on_write(std::move(of_kind)); }, lease->lease);
  const SetId set = lease->set;
  const ObjectId object = lease->object;
  give_back(*lease);
  if (!kept) return fail_object(set, object, kept.error());
  auto* const made = new (std::nothrow) krg_kddm_snapshot{std::move(*kept)};
  if (made == nullptr) return fail_object(set, object, Error(Errc::no_memory));
  *snapshot = made;
  if (bytes != nullptr) *bytes = made->snapshot.bytes().data();
  if (size != nullptr) *size = made->snapshot.bytes().size();
  return 0;
}

void krg_kddm_end_snapshot(krg_kddm_snapshot* snapshot) { delete snapshot; }

// --- Ranges -------------------------------------------------------------------------------------

int krg_kddm_get_range(krg_kddm_space* space, krg_kddm_set set, uint64_t first, uint64_t count,
                       unsigned flags, krg_kddm_range** range) {
  const SetId of{set};
  return begin(space, of, space->space->get_range(of, ObjectId{first}, count, use_of(space, flags)),
               range);
}

int krg_kddm_grab_range(krg_kddm_space* space, krg_kddm_set set, uint64_t first, uint64_t count,
                        unsigned flags, krg_kddm_range** range) {
  const SetId of{set};
  return begin(space, of,
               space->space->grab_range(of, ObjectId{first}, count, use_of(space, flags)), range);
}

int krg_kddm_next(krg_kddm_range* range, krg_kddm_lease** lease, void** bytes, size_t* size) {
  return std::visit(
      [&](auto& of_kind) {
        *lease = nullptr;
        return of_kind.done() ? 0 : hand_out_next(*range, of_kind, lease, bytes, size);
      },
      range->range);
}

void krg_kddm_end_range(krg_kddm_range* range) { delete range; }

// --- Without a lease ----------------------------------------------------------------------------

int krg_kddm_flush(krg_kddm_space* space, krg_kddm_set set, uint64_t object, uint32_t to,
                   unsigned flags) {
  const SetId of{set};
  const ObjectId id{object};
  const NodeId node = to == KRG_KDDM_NO_NODE ? kNoNode : NodeId{to};
  return done(space->space->flush(of, id, node, use_of(space, flags)), of, id);
}
int krg_kddm_sync(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags) {
  const SetId of{set};
  const ObjectId id{object};
  return done(space->space->sync(of, id, use_of(space, flags)), of, id);
}
int krg_kddm_remove(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags) {
  const SetId of{set};
  const ObjectId id{object};
  return done(space->space->remove(of, id, use_of(space, flags)), of, id);
}
int krg_kddm_prefetch(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags) {
  const SetId of{set};
  const ObjectId id{object};
  return done(space->space->prefetch(of, id, use_of(space, flags)), of, id);
}

int krg_kddm_prefetch_range(krg_kddm_space* space, krg_kddm_set set, uint64_t first, uint64_t count,
                            unsigned flags) {
  const SetId of{set};
  const auto kind = (flags & KRG_KDDM_TO_WRITE) != 0 ? LeaseKind::write : LeaseKind::read;
  const Status how =
      space->space->prefetch_range(of, ObjectId{first}, count, use_of(space, flags), kind);
  return how ? 0 : fail_set(of, how.error());
}

int krg_kddm_start_prefetch(krg_kddm_space* space, krg_kddm_set set, uint64_t first, uint64_t count,
                            unsigned flags, krg_kddm_prefetched** prefetched) {
  const SetId of{set};
  const auto kind = (flags & KRG_KDDM_TO_WRITE) != 0 ? LeaseKind::write : LeaseKind::read;
  Result<Prefetch> begun =
      space->space->start_prefetch(of, ObjectId{first}, count, use_of(space, flags), kind);
  if (!begun) return fail_set(of, begun.error());
  auto* const made = new (std::nothrow) krg_kddm_prefetched{std::move(*begun), of};
  if (made == nullptr) return fail_set(of, Error(Errc::no_memory));
  *prefetched = made;
  return 0;
}

int krg_kddm_is_prefetched(const krg_kddm_prefetched* prefetched) {
  return prefetched->prefetch.ready() ? 1 : 0;
}

int krg_kddm_end_prefetch(krg_kddm_prefetched* prefetched) {
  const std::unique_ptr<krg_kddm_prefetched> ended(prefetched);
  const Status how = ended->prefetch.wait();
  return how ? 0 : fail_set(ended->set, how.error());
}

int krg_kddm_find(krg_kddm_space* space, krg_kddm_set set, uint64_t object) {
  return space->space->find(SetId{set}, ObjectId{object}) ? 1 : 0;
}

int krg_kddm_statistics(krg_kddm_space* space, krg_kddm_counts* counts) {
  const std::size_t size = counts->size;
  if (size < sizeof size || size > 4096) {
    return fail("statistics", Error(Errc::invalid_argument, "counts without their size"));
  }
  const SpaceStatistics now = space->space->statistics();
  const krg_kddm_counts all{size,       now.gets,  now.grabs,
                            now.misses, now.waits, static_cast<std::uint64_t>(now.waited.count())};
  std::memset(counts, 0, size);
  std::memcpy(counts, &all, std::min(size, sizeof all));
  return 0;
}

const char* krg_kddm_message(void) { return last_message.c_str(); }

// The C functions of krg/task/kddm.h over Space.
#include <cerrno>
#include <new>
#include <string>
#include <utility>
#include <variant>

#include "krg/task/kddm.h"
#include "krg/task/space.h"

using krg::Errc;
using krg::Error;
using krg::Result;
using krg::Status;
using krg::kddm::ObjectId;
using krg::kddm::ReadLease;
using krg::kddm::ReadRange;
using krg::kddm::SetId;
using krg::kddm::SetOptions;
using krg::kddm::Space;
using krg::kddm::WriteLease;
using krg::kddm::WriteRange;

struct krg_kddm_space {
  std::unique_ptr<Space> space;
};
struct krg_kddm_lease {
  std::variant<ReadLease, WriteLease> lease;
};

struct krg_kddm_range {
  std::variant<ReadRange, WriteRange> range;
};

namespace {

thread_local std::string last_message;

int fail(const Error& error) {
  last_message = error.message();
  return krg::to_errno(error.code());
}
int done(const Status& status) { return status ? 0 : fail(status.error()); }

SetOptions options_of(const krg_kddm_options& from) {
  SetOptions options;
  options.object_bytes = from.object_bytes;
  if (from.object_count != 0) options.object_count = from.object_count;
  options.variable_size = from.variable_size != 0;
  // More than fits is refused as too many, not taken as few.
  options.copies = static_cast<std::uint8_t>(from.copies == 0    ? 1
                                             : from.copies > 255 ? 255
                                                                 : from.copies);
  return options;
}

krg::kddm::Use use_of(unsigned flags) {
  krg::kddm::Use use;
  use.try_only = (flags & KRG_KDDM_TRY) != 0;
  use.no_touch = (flags & KRG_KDDM_NO_TOUCH) != 0;
  return use;
}

template <class Lease, class Byte>
int hand_out(Result<Lease> leased, krg_kddm_lease** lease, Byte** bytes, std::size_t* size) {
  if (!leased) return fail(leased.error());
  auto* const made = new (std::nothrow) krg_kddm_lease{std::move(*leased)};
  if (made == nullptr) return fail(Error(Errc::no_memory));
  const auto content = std::get<Lease>(made->lease).bytes();
  *lease = made;
  if (bytes != nullptr) *bytes = content.data();
  if (size != nullptr) *size = content.size();
  return 0;
}

template <class Range>
int begin(Range begun, krg_kddm_range** range) {
  *range = new (std::nothrow) krg_kddm_range{std::move(begun)};
  return *range == nullptr ? fail(Error(Errc::no_memory)) : 0;
}

int hand_out_next(ReadRange& range, krg_kddm_lease** lease, void** bytes, std::size_t* size) {
  const void* content = nullptr;
  const int error = hand_out(range.next(), lease, &content, size);
  if (error == 0 && bytes != nullptr) *bytes = const_cast<void*>(content);
  return error;
}
int hand_out_next(WriteRange& range, krg_kddm_lease** lease, void** bytes, std::size_t* size) {
  return hand_out(range.next(), lease, bytes, size);
}

}  // namespace

int krg_kddm_connect(const char* gate, krg_kddm_space** space) {
  auto made = Space::connect(gate == nullptr ? "" : gate);
  if (!made) return fail(made.error());
  *space = new (std::nothrow) krg_kddm_space{std::move(*made)};
  return *space == nullptr ? fail(Error(Errc::no_memory)) : 0;
}

void krg_kddm_disconnect(krg_kddm_space* space) { delete space; }

int krg_kddm_create(krg_kddm_space* space, const krg_kddm_options* options, krg_kddm_set* set) {
  const auto made = space->space->create(options_of(*options));
  if (!made) return fail(made.error());
  *set = made->value;
  return 0;
}

int krg_kddm_open(krg_kddm_space* space, const char* name, const krg_kddm_options* options,
                  krg_kddm_set* set) {
  const auto found = space->space->open(name, options_of(*options));
  if (!found) return fail(found.error());
  *set = found->value;
  return 0;
}

int krg_kddm_destroy(krg_kddm_space* space, krg_kddm_set set) {
  return done(space->space->destroy(SetId{set}));
}

int krg_kddm_get(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                 krg_kddm_lease** lease, const void** bytes, size_t* size) {
  return hand_out(space->space->get(SetId{set}, ObjectId{object}, use_of(flags)), lease, bytes,
                  size);
}

int krg_kddm_grab(krg_kddm_space* space, krg_kddm_set set, uint64_t object, unsigned flags,
                  krg_kddm_lease** lease, void** bytes, size_t* size) {
  return hand_out(space->space->grab(SetId{set}, ObjectId{object}, use_of(flags)), lease, bytes,
                  size);
}

int krg_kddm_resize(krg_kddm_space* space, krg_kddm_lease* lease, size_t size, void** bytes) {
  auto* const write = std::get_if<WriteLease>(&lease->lease);
  if (write == nullptr) return fail(Error(Errc::invalid_argument, "a lease that does not write"));
  const Status how = space->space->resize(*write, size);
  if (bytes != nullptr) *bytes = write->bytes().data();
  return done(how);
}

void krg_kddm_put(krg_kddm_lease* lease) { delete lease; }

int krg_kddm_get_range(krg_kddm_space* space, krg_kddm_set set, uint64_t first, uint64_t count,
                       unsigned flags, krg_kddm_range** range) {
  return begin(space->space->get_range(SetId{set}, ObjectId{first}, count, use_of(flags)), range);
}

int krg_kddm_grab_range(krg_kddm_space* space, krg_kddm_set set, uint64_t first, uint64_t count,
                        unsigned flags, krg_kddm_range** range) {
  return begin(space->space->grab_range(SetId{set}, ObjectId{first}, count, use_of(flags)), range);
}

int krg_kddm_next(krg_kddm_range* range, krg_kddm_lease** lease, void** bytes, size_t* size) {
  return std::visit(
      [&](auto& of_kind) {
        *lease = nullptr;
        return of_kind.done() ? 0 : hand_out_next(of_kind, lease, bytes, size);
      },
      range->range);
}

void krg_kddm_end_range(krg_kddm_range* range) { delete range; }

int krg_kddm_flush(krg_kddm_space* space, krg_kddm_set set, uint64_t object) {
  return done(space->space->flush(SetId{set}, ObjectId{object}));
}
int krg_kddm_sync(krg_kddm_space* space, krg_kddm_set set, uint64_t object) {
  return done(space->space->sync(SetId{set}, ObjectId{object}));
}
int krg_kddm_remove(krg_kddm_space* space, krg_kddm_set set, uint64_t object) {
  return done(space->space->remove(SetId{set}, ObjectId{object}));
}
int krg_kddm_prefetch(krg_kddm_space* space, krg_kddm_set set, uint64_t object) {
  return done(space->space->prefetch(SetId{set}, ObjectId{object}));
}

int krg_kddm_prefetch_range(krg_kddm_space* space, krg_kddm_set set, uint64_t first,
                            uint64_t count) {
  return done(space->space->prefetch_range(SetId{set}, ObjectId{first}, count));
}

const char* krg_kddm_message(void) { return last_message.c_str(); }

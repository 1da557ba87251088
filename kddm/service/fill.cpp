// First touches: the room for what is made, the linker's work, and why it failed if it did.
//
// The protocol says that a first touch has failed, not why. The reason is kept beside it, with the
// set, until the caller's op ends; from the home to another node it goes in the answer's count,
// which the protocol does not use.
#include <algorithm>
#include <cstring>
#include <utility>

#include "krg/log/log.h"
#include "service.h"
#include "sets.h"

namespace krg::kddm {
namespace {

// How long a first touch waits for room.
constexpr Duration kRoomPatience = std::chrono::seconds(1);

}  // namespace

bool Service::has_bytes(Set& set, ObjectId object) const noexcept {
  const Copies::Seen seen = copies_.see(set, object);
  return seen.slot != kNoSlot || (seen.awake != nullptr && seen.awake->block);
}

std::uint64_t Service::missing_bytes(Set& set, ObjectId object) const noexcept {
  if (has_bytes(set, object)) return 0;
  return set.options.variable_size ? 0 : Block::footprint(set.options.object_bytes);
}

bool Service::refuses_to_give_up(const Set::Halves& at, const Message& in, const Place& place) {
  if (in.kind != Kind::flush || !in.has(kNoTouch) || at.home == nullptr) return false;
  const std::size_t wanted = std::min<std::size_t>(place.copies, place.members->size());
  return is_needed(at.home->home, in.from, static_cast<unsigned>(wanted));
}

void Service::begin_fill(Set& set, HolderEntry* entry, bool manual) noexcept {
  if (entry == nullptr) return;
  counters_.first_touches->add();
  // An op of this node has been promised them already.
  const std::uint64_t bytes = entry->holder.granted ? 0 : missing_bytes(set, entry->id);
  // What sets there are must be known in a full node too.
  if (is_directory(set.id) || room_.fits(bytes, Room::For::creation)) {
    fill_now(set, *entry, manual);
  } else {
    reactor().spawn(fill_later(set, entry->id, bytes, manual, epoch_));
  }
}

Co<void> Service::fill_later(Set& set, ObjectId object, std::uint64_t bytes, bool manual,
                             Epoch epoch) {
  const Status room =
      co_await room_.make(bytes, Room::For::creation, reactor().after(kRoomPatience));
  HolderEntry* const entry = epoch != epoch_ || set.gone ? nullptr : set.holders.find(object);
  if (entry == nullptr || entry->holder.copy != Copy::filling) co_return;
  if (!room) {
    fill_failed(set, object, room.error());
    drain();
  } else {
    fill_now(set, *entry, manual);
    drain();
  }
}

void Service::fill_now(Set& set, HolderEntry& entry, bool manual) noexcept {
  const std::size_t size = set.options.variable_size ? 0 : set.options.object_bytes;
  const ObjectId object = entry.id;
  if (set.linker == nullptr) {
    return fill_failed(set, object, Error(Errc::not_supported, "no linker of the set's name"));
  }
  if (const Status room = copies_.allocate(set, entry, size); !room) {
    return fill_failed(set, object, room.error());
  }
  room_.look();
  set.written.erase(object);
  reactor().spawn(fill(set, object, copies_.pin(entry), manual, epoch_));
}

Co<void> Service::fill(Set& set, ObjectId object, Block block, bool manual, Epoch epoch) {
  Status how;
  if (!manual) {
    how = co_await set.linker->first_touch(set.id, object, block.bytes());
  } else if (!block.bytes().empty()) {
    std::memset(block.bytes().data(), 0, block.bytes().size());
  }
  if (epoch != epoch_ || set.gone) co_return;
  if (!how) {
    fill_failed(set, object, how.error());
    drain();
  } else {
    const std::uint16_t flags = manual ? kManual : 0;
    feed(set, object,
         {.kind = Kind::op_filled, .flags = flags, .from = options_.self, .epoch = epoch});
  }
}

void Service::fill_failed(Set& set, ObjectId object, Error why) noexcept {
  // Who asks for what there is no room for is told, and may ask again and again.
  if (why.code() != Errc::no_space) {
    KRG_WARN("kddm set {} object {}: first touch: {}", set.id.value, object.value, why.message());
  }
  set.failed_touches.insert_or_assign(object, why);
  notes_.push_back(
      {&set, object, {.kind = Kind::op_fill_failed, .from = options_.self, .epoch = epoch_}});
}

Error Service::take_failure(Set& set, ObjectId object) noexcept {
  const auto at = set.failed_touches.find(object);
  if (at == set.failed_touches.end()) {
    return Error(Errc::system_error, "the first touch of a shared object");
  }
  const Error why = at->second;
  set.failed_touches.erase(at);
  return why;
}

void Service::take_note_of_failure(Set& set, ObjectId object, Message& answer) {
  const auto code = static_cast<std::uint16_t>(std::exchange(answer.count, 0u));
  if (code == 0 || !is_errc(code)) return;
  set.failed_touches.insert_or_assign(
      object, Error(static_cast<Errc>(code), "the first touch at the object's home"));
}

}  // namespace krg::kddm

// owned.h: taking an object for writing whose bytes tell whether its last owner has died.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#include "cell.h"
#include "here.h"
#include "krg/error/result.h"
#include "krg/locks/locks.h"
#include "krg/task/space.h"

namespace krg {

inline std::uint32_t state_of(const auto& lease) noexcept {
  std::uint32_t state = 0;
  std::memcpy(&state, lease.bytes().data() + offsetof(LockWord, state), sizeof state);
  return state;
}
inline void set_state(kddm::WriteLease& lease, std::uint32_t state) noexcept {
  std::memcpy(lease.bytes().data() + offsetof(LockWord, state), &state, sizeof state);
}

// See LockWord.
inline std::uint32_t last_of(const kddm::WriteLease& lease) noexcept {
  std::uint32_t last = 0;
  std::memcpy(&last, lease.bytes().data() + offsetof(LockWord, last), sizeof last);
  return last;
}
inline void set_last(kddm::WriteLease& lease, std::uint32_t last) noexcept {
  std::memcpy(lease.bytes().data() + offsetof(LockWord, last), &last, sizeof last);
}

// What a holder's lease says of it.
struct Holder {
  std::uint32_t state = LockWord::held;
  std::int32_t pid = 0;
  std::int32_t thread = 0;
  sync::LockKind kind = sync::LockKind::none;
};
static_assert(sizeof(Holder) == offsetof(LockWord, last));
// Says who has it now.
inline void hold(kddm::WriteLease& lease, const Holder& holder) noexcept {
  std::memcpy(lease.bytes().data(), &holder, sizeof holder);
}

struct Owned {
  kddm::WriteLease lease;
  std::uint32_t state = LockWord::free;  // As it was found.
  bool lost = false;                     // Its bytes died with a node, and are zero now.

  bool owner_died() const noexcept { return lost || state != LockWord::free; }
};

// Asks krgd.
inline Result<Owned> grab_owned(kddm::Space& space, kddm::SetId set, kddm::ObjectId object,
                                const kddm::Use& use) {
  Result<kddm::WriteLease> lease = space.grab(set, object, use);
  const bool lost = !lease && lease.error().code() == Errc::lost;
  if (lost) {
    // Whoever else found it lost may be first; what is removed here then is a lock that was taken
    // with the same notice, after it was given back.
    const Status removed = space.remove(set, object, use);
    if (!removed && removed.error().code() != Errc::not_found) return removed.error();
    lease = space.grab(set, object, use);
  }
  if (!lease) return lease.error();
  Owned owned{std::move(*lease), LockWord::free, lost};
  owned.state = state_of(owned.lease);
  return owned;
}

}  // namespace krg

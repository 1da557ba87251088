// owned.h: taking an object for writing whose bytes tell whether its last owner has died.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "cell.h"
#include "krg/error/result.h"
#include "krg/locks/locks.h"
#include "krg/task/space.h"

namespace krg {

struct Owned {
  kddm::WriteLease lease;
  LockWord word;      // As it was found.
  bool lost = false;  // Its bytes died with a node, and are zero now.

  bool owner_died() const noexcept { return lost || word.state != LockWord::free; }
  // Says who has it now.
  void hold(std::int32_t pid, std::int32_t thread) noexcept {
    word.state = LockWord::held;
    word.pid = pid;
    word.thread = thread;
    std::memcpy(lease.bytes().data(), &word, sizeof word);
  }
};

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
  Owned owned{std::move(*lease), {}, lost};
  std::memcpy(&owned.word, owned.lease.bytes().data(), sizeof owned.word);
  return owned;
}

}  // namespace krg

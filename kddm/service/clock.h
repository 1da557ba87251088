// clock.h: which copies of a node were not used lately, of those that lie outside of the store.
//
// Model    a hand goes round all copies. One on the heap gets a second chance if it was leased
//          since the hand came by. Who uses a copy in a residence needs no lease, so that is asked
//          to notice (Residence::cool()), and the copy is on probation: it is a victim when its
//          turn comes and it was not used meanwhile. Each step looks at a bounded number of
//          copies, however many there are.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   Corbato, A paging experiment with the Multics system (the clock); Linux, mm/vmscan.c
//          (the inactive list); docs/design/kddm.md, "Room"
#pragma once

#include <array>
#include <cstdint>
#include <deque>
#include <vector>

#include "set.h"

namespace krg::kddm {

class Service;

struct Victim {
  Set* set;
  ObjectId object;
  std::uint64_t bytes;
};
using Victims = std::vector<Victim>;

// What is wanted.
struct Prey {
  Copy kind = Copy::read;
  std::uint64_t bytes = 0;  // So many, if there are.
  bool backed = false;      // Of sets that are written back.
  bool moves = false;       // It is to go to another node, which not all may.
};

class Clock {
 public:
  // Looks of one step; asking a residence to notice counts as several.
  static constexpr std::uint64_t kStep = 4096;
  static constexpr std::uint64_t kCool = 32;

  explicit Clock(Service& service) noexcept : service_(service) {}
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;

  // One step: adds to `victims` until there are `most`, or what they have is enough.
  void pick(const Prey& prey, std::size_t most, Victims& victims);
  // So many looks see every copy twice. Cost: each set is looked at.
  std::uint64_t looks_for_all() const noexcept;

 private:
  struct Candidate {
    SetId set;
    ObjectId object;
  };
  // At most so many are on probation, and an eighth of the copies.
  static constexpr std::size_t kProbation = 1024;

  std::deque<Candidate>& probation(Copy kind) noexcept { return probation_[kind == Copy::write]; }
  // The copy under the hand, which then goes on; nullptr: there is none.
  HolderEntry* next(Set*& set) noexcept;
  std::size_t probation_of(const Candidate& oldest) noexcept;
  // Its time on probation is over: whether it is a victim.
  bool is_victim(const Candidate& candidate, const Prey& prey, Victim& victim) noexcept;

  Service& service_;
  SetId hand_set_ = kNoSet;
  std::uint32_t hand_place_ = 0;
  std::array<std::deque<Candidate>, 2> probation_;  // To be read, to be written.
};

// Nobody has a lease on it, or waits for one.
bool is_idle(const HolderEntry& entry) noexcept;

}  // namespace krg::kddm

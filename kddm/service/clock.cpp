#include "clock.h"

#include <algorithm>
#include <utility>

#include "backing.h"
#include "service.h"

namespace krg::kddm {
namespace {

bool is_copy(const HolderEntry& entry) noexcept {
  const Copy copy = entry.holder.copy;
  return (copy == Copy::read || copy == Copy::write) && entry.slot == kNoSlot && is_idle(entry);
}

bool is_in_residence(const Set& set, const HolderEntry& entry) noexcept {
  return set.resident != nullptr && entry.block.is_lent();
}

// Apart from its kind.
bool is_wanted(const Prey& prey, const Set& set, ObjectId object) noexcept {
  if (prey.backed && !Backing::is_backed(set)) return false;
  return !prey.moves || set.resident == nullptr || set.resident->may_move(object);
}

}  // namespace

bool is_idle(const HolderEntry& entry) noexcept {
  return entry.readers == 0 && !entry.writer && entry.holder.asks == Asks::nothing &&
         !entry.holder.contended && !entry.waiting;
}

HolderEntry* Clock::next(Set*& set) noexcept {
  if (set == nullptr || set->id != hand_set_) set = service_.find_set(hand_set_);
  if (set != nullptr && hand_place_ < set->holders.places()) {
    return &set->holders.place(hand_place_++);
  }
  set = service_.next_set(set);
  hand_place_ = 0;
  hand_set_ = set == nullptr ? kNoSet : set->id;
  return nullptr;
}

bool Clock::is_victim(const Candidate& candidate, const Prey& prey, Victim& victim) noexcept {
  Set* const set = service_.find_set(candidate.set);
  const HolderEntry* const entry =
      set == nullptr || set->gone ? nullptr : set->holders.find(candidate.object);
  // What has become of another kind meanwhile, or may not go, the hand finds again.
  if (entry == nullptr || !is_copy(*entry) || entry->holder.copy != prey.kind) return false;
  if (!is_in_residence(*set, *entry) || set->resident->is_warm(entry->id)) return false;
  if (!is_wanted(prey, *set, entry->id)) return false;
  victim = {set, entry->id, Block::footprint(entry->block.size())};
  return true;
}

// How many are on probation before the oldest is at the end of its time.
std::size_t Clock::probation_of(const Candidate& oldest) noexcept {
  const Set* const set = service_.find_set(oldest.set);
  return std::min(kProbation, (set == nullptr ? 0 : set->holders.size() / 8) + 1);
}

void Clock::pick(const Prey& prey, std::size_t most, Victims& victims) {
  std::uint64_t found = 0;
  for (const Victim& victim : victims) found += victim.bytes;
  const auto take = [&](const Victim& victim) {
    victims.push_back(victim);
    found += victim.bytes;
  };
  std::deque<Candidate>& waiting = probation(prey.kind);
  Set* set = service_.find_set(hand_set_);
  Victim victim{};
  for (std::uint64_t looks = 0; looks < kStep && found < prey.bytes && victims.size() < most;) {
    ++looks;
    if (!waiting.empty() && waiting.size() >= probation_of(waiting.front())) {
      const Candidate oldest = waiting.front();
      waiting.pop_front();
      if (is_victim(oldest, prey, victim)) take(victim);
      continue;
    }
    HolderEntry* const entry = next(set);
    if (entry == nullptr || !is_copy(*entry) || !is_wanted(prey, *set, entry->id)) continue;
    const Copy kind = entry->holder.copy;
    if (is_in_residence(*set, *entry) && set->resident->is_warm(entry->id)) {
      if (probation(kind).size() >= kProbation) continue;
      set->resident->cool(entry->id);
      probation(kind).push_back({set->id, entry->id});
      looks += kCool;
      continue;
    }
    // In a residence: it was on probation before, and has stayed all the same.
    if (kind != prey.kind || std::exchange(entry->used, false)) continue;
    take({set, entry->id, Block::footprint(entry->block.size())});
  }
}

std::uint64_t Clock::looks_for_all() const noexcept {
  std::uint64_t places = 0;
  service_.for_each_set([&](Set& set) { places += set.holders.places() + 1; });
  return 2 * (kCool + 1) * places + 2 * kStep;
}

}  // namespace krg::kddm

#include "krg/reactor/timer_wheel.h"

#include <algorithm>
#include <bit>
#include <limits>

namespace krg::reactor {
namespace {

// Timers of a slot that next() looks at one by one.
constexpr int kLookedAtMax = 16;

}  // namespace

std::uint64_t TimerWheel::tick_of(TimePoint t) noexcept {
  // Unsigned, so that rounding up the last instants does not overflow; before the origin is at it.
  return static_cast<std::uint64_t>(std::max(t.since_origin, Duration(0)).count()) >> kTickShift;
}

std::uint64_t TimerWheel::tick_not_before(TimePoint t) noexcept {
  const auto whole = static_cast<std::uint64_t>(std::max(t.since_origin, Duration(0)).count());
  return (whole + (std::uint64_t{1} << kTickShift) - 1) >> kTickShift;
}

TimerWheel::TimerWheel(TimePoint start) noexcept : tick_(tick_of(start)) {}

void TimerWheel::add(Timer& timer, Deadline deadline) noexcept {
  KRG_DASSERT(!timer.linked());
  timer.deadline_ = deadline;
  if (!deadline.is_never()) place(timer);
}

void TimerWheel::place(Timer& timer) noexcept {
  const std::uint64_t due = std::max(tick_not_before(timer.deadline_.at()), tick_ + 1);
  const std::uint64_t limit = tick_ + (std::uint64_t{1} << (kSlotBits * kLevels)) - 1;
  const std::uint64_t tick = std::min(due, limit);
  // The highest 6-bit digit in which the due tick differs from now is the level it waits on.
  const int level = (63 - std::countl_zero(tick ^ tick_)) / kSlotBits;
  const int index = std::min(level, kLevels - 1);
  const std::uint64_t slot = (tick >> (kSlotBits * index)) & (kSlots - 1);
  levels_[index].slots[slot].push_back(timer);
  levels_[index].occupied |= std::uint64_t{1} << slot;
}

// Spreads the slot that the hand of `level` has reached over the levels below.
void TimerWheel::cascade(int level) noexcept {
  const std::uint64_t slot = (tick_ >> (kSlotBits * level)) & (kSlots - 1);
  if (slot == 0 && level + 1 < kLevels) cascade(level + 1);
  List moving;
  moving.take(levels_[level].slots[slot]);
  levels_[level].occupied &= ~(std::uint64_t{1} << slot);
  while (!moving.empty()) {
    Timer& timer = moving.pop_front();
    if (tick_not_before(timer.deadline_.at()) <= tick_) {
      levels_[0].slots[tick_ & (kSlots - 1)].push_back(timer);
      levels_[0].occupied |= std::uint64_t{1} << (tick_ & (kSlots - 1));
    } else {
      place(timer);
    }
  }
}

bool TimerWheel::advance_to(std::uint64_t target) noexcept {
  bool fired = false;
  while (tick_ < target) {
    // Skip empty stretches: nothing can be due before the next occupied slot or digit roll-over.
    const std::uint64_t ahead = tick_ + 1;
    const std::uint64_t base = ahead & (kSlots - 1);
    const std::uint64_t left = levels_[0].occupied >> base;
    const std::uint64_t step = left != 0 ? std::countr_zero(left) : kSlots - base;
    tick_ = std::min(target, base == 0 ? ahead : ahead + step);
    const std::uint64_t slot = tick_ & (kSlots - 1);
    if (slot == 0) cascade(1);
    if ((levels_[0].occupied >> slot & 1) == 0) continue;
    List due;
    due.take(levels_[0].slots[slot]);
    levels_[0].occupied &= ~(std::uint64_t{1} << slot);
    while (!due.empty()) {
      due.pop_front().on_timer();
      fired = true;
    }
  }
  return fired;
}

// The first tick at which one of these is due; 0 if they are too many to look at. Being woken only
// to put a timer into a lower level would be a third of an idle node's wake-ups.
std::uint64_t TimerWheel::first_of(List& timers) noexcept {
  std::uint64_t first = std::numeric_limits<std::uint64_t>::max();
  int left = kLookedAtMax;
  for (const Timer& timer : timers) {
    if (left-- == 0) return 0;
    first = std::min(first, tick_not_before(timer.deadline_.at()));
  }
  return first;
}

std::optional<TimePoint> TimerWheel::next() noexcept {
  for (int level = 0; level < kLevels; ++level) {
    Level& wheel = levels_[level];
    while (wheel.occupied != 0) {
      const std::uint64_t hand = tick_ >> (kSlotBits * level);
      const std::uint64_t base = (hand + 1) & (kSlots - 1);
      const int distance = std::countr_zero(std::rotr(wheel.occupied, static_cast<int>(base)));
      const std::uint64_t slot = (base + distance) & (kSlots - 1);
      if (wheel.slots[slot].empty()) {
        wheel.occupied &= ~(std::uint64_t{1} << slot);
        continue;
      }
      std::uint64_t tick = (hand + 1 + distance) << (kSlotBits * level);
      // Those of the last level may be due later than it reaches.
      if (level > 0 && level < kLevels - 1) tick = std::max(tick, first_of(wheel.slots[slot]));
      return TimePoint{Duration(tick << kTickShift)};
    }
  }
  return std::nullopt;
}

}  // namespace krg::reactor

#include "krg/testing/drive.h"

#include <sched.h>

#include <algorithm>
#include <array>

namespace krg::testing {
namespace {

// One turn of each; true if any worked.
bool turn_all(std::span<reactor::Reactor* const> reactors) {
  bool worked = false;
  for (reactor::Reactor* reactor : reactors) worked |= reactor->turn();
  return worked;
}

}  // namespace

bool turn_until(std::span<reactor::Reactor* const> reactors, const Condition& condition,
                Duration limit) {
  const reactor::RealClock clock;
  const TimePoint end = clock.now() + limit;
  while (!condition()) {
    if (clock.now() >= end) return false;
    if (!turn_all(reactors)) sched_yield();
  }
  return true;
}

bool turn_until(reactor::VirtualClock& clock, std::span<reactor::Reactor* const> reactors,
                const Condition& condition, Duration limit) {
  // A reactor reads its clock only every few turns while it is driven, so silence must last that
  // long.
  constexpr int kSilentTurns = 32;
  const TimePoint end = clock.now() + limit;
  int silent = 0;
  while (!condition()) {
    silent = turn_all(reactors) ? 0 : silent + 1;
    if (silent < kSilentTurns) continue;
    std::optional<TimePoint> next;
    for (reactor::Reactor* reactor : reactors) {
      const auto timer = reactor->next_timer();
      if (timer && (!next || *timer < *next)) next = timer;
    }
    if (!next || *next > end) {
      clock.advance_to(end);
      return condition();
    }
    clock.advance_to(std::max(clock.now(), *next));
  }
  return true;
}

bool turn_until(reactor::VirtualClock& clock, reactor::Reactor& reactor, const Condition& condition,
                Duration limit) {
  const std::array<reactor::Reactor*, 1> one{&reactor};
  return turn_until(clock, one, condition, limit);
}

}  // namespace krg::testing

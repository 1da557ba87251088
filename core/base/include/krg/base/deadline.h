// base/deadline.h: the instant by which a wait gives up.
//
// Model    an instant of the reactor's clock, which may be virtual; so a Deadline is only compared
//          with the now() of the clock it was made from. Every wait in krg takes one.
// Threads  immutable.
// Blocks   never.
// Source   docs/design/reactor.md
#pragma once

#include <chrono>
#include <compare>

namespace krg {

using Duration = std::chrono::nanoseconds;
// Nanoseconds since the clock's own origin: CLOCK_MONOTONIC for the real one, 0 for the virtual
// one.
struct TimePoint {
  Duration since_origin{0};

  constexpr auto operator<=>(const TimePoint&) const = default;
  friend constexpr TimePoint operator+(TimePoint t, Duration d) { return {t.since_origin + d}; }
  friend constexpr TimePoint operator-(TimePoint t, Duration d) { return {t.since_origin - d}; }
  friend constexpr Duration operator-(TimePoint a, TimePoint b) {
    return a.since_origin - b.since_origin;
  }
};

class Deadline {
 public:
  constexpr explicit Deadline(TimePoint at) : at_(at) {}
  // For waits whose end has another reason, which the caller states in a comment.
  static constexpr Deadline never() { return Deadline(TimePoint{Duration::max()}); }

  constexpr TimePoint at() const { return at_; }
  constexpr bool is_never() const { return at_.since_origin == Duration::max(); }
  constexpr bool passed(TimePoint now) const { return now >= at_; }
  constexpr auto operator<=>(const Deadline&) const = default;

 private:
  TimePoint at_;
};

}  // namespace krg

// reactor/timer_wheel.h: many deadlines, nearly all of which are cancelled.
//
// Model    a hierarchical wheel: 4 levels of 64 slots, one tick = 2^20 ns (about 1 ms), so 4.8
//          hours ahead; later timers wait in the last slot and are put back. A timer fires at or up
//          to one tick after its deadline, never before it. Timers are owned by their users and
//          unlink themselves when destroyed.
// Threads  owned by one thread.
// Blocks   never. Cost: add and cancel O(1), no allocation.
// Source   Varghese and Lauck, "Hashed and hierarchical timing wheels", SOSP 1987
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "krg/base/deadline.h"
#include "krg/base/intrusive_list.h"

namespace krg::reactor {

class Timer : public ListNode<struct TimerTag> {
 public:
  virtual void on_timer() noexcept = 0;
  Deadline deadline() const noexcept { return deadline_; }

 protected:
  ~Timer() = default;

 private:
  friend class TimerWheel;
  Deadline deadline_ = Deadline::never();
};

class TimerWheel {
 public:
  explicit TimerWheel(TimePoint start) noexcept;

  // Requires  `timer` is not running. A deadline of never() is not put into the wheel.
  void add(Timer& timer, Deadline deadline) noexcept;
  // Fires every timer whose deadline has passed; true if any did.
  bool advance(TimePoint now) noexcept {
    const auto target = static_cast<std::uint64_t>(now.since_origin.count()) >> kTickShift;
    return target > tick_ && advance_to(target);
  }
  // A lower bound for the next deadline: waking then and calling advance() loses nothing.
  std::optional<TimePoint> next() noexcept;

 private:
  using List = IntrusiveList<Timer, TimerTag>;
  static constexpr int kTickShift = 20;
  static constexpr int kLevels = 4;
  static constexpr int kSlotBits = 6;
  static constexpr std::uint64_t kSlots = 1u << kSlotBits;

  struct Level {
    std::array<List, kSlots> slots;
    std::uint64_t occupied = 0;  // One bit a slot; a set bit may be stale, a clear one never is.
  };

  static std::uint64_t tick_of(TimePoint t) noexcept;
  // The first tick that is not before `t`: a timer never fires early.
  static std::uint64_t tick_not_before(TimePoint t) noexcept;
  static std::uint64_t first_of(List& timers) noexcept;
  bool advance_to(std::uint64_t target) noexcept;
  void place(Timer& timer) noexcept;
  void cascade(int level) noexcept;

  std::array<Level, kLevels> levels_;
  std::uint64_t tick_;  // Every timer due at or before this tick has fired.
};

}  // namespace krg::reactor

// reactor/wait_controller.h: whether an idle reactor spins, yields or sleeps.
//
// Model    three states. SPIN: the core is ours; poll, probe with a yield now and then, sleep after
//          50 us, or up to 400 where work came soon after the last sleeps began, or 1 ms while
//          something that ends soon is under way. COOP: a yield let another task run; yield after
//          each empty poll, sleep after 32 fruitless ones. HOG: foreign time slices eat over a
//          quarter of a 20 ms window; sleep at once, or after 20 us of polling (200 when something
//          ends soon) where that has lately paid (the peer runs on another core), and probe again
//          later, doubling the pause to 2 s, or when the machine has processors to spare. It
//          learns from how its own yields, polls and sleeps went.
// Threads  owned by one thread. Pure: no clock and no system call inside, so that it can be tested.
// Blocks   never.
// Source   docs/design/reactor.md, "Waiting", with the measurements
#pragma once

#include <cstdint>

namespace krg::reactor {

class WaitController {
 public:
  enum class Action { poll, yield, block };
  enum class State { spin, coop, hog };

  // `ticks_per_syscall`: what a yield costs at the least, beside looking for another task.
  explicit WaitController(double ticks_per_ns, std::uint64_t ticks_per_syscall = 0) noexcept;

  // The last poll found work.
  void worked() noexcept {
    if (slept_ != 0) learn_from_sleep();
    if (polling_ && idle_since_ != 0) pays_ = pays_ < kPaysMax ? pays_ + 1 : kPaysMax;
    reset();
  }
  // The last poll found nothing, and another one costs less than to look at the clock and decide.
  // False now and then, and then idle() decides.
  bool poll_at_once() noexcept { return state_ == State::spin && ++polls_at_once_ % 8 != 0; }
  // The last poll found nothing, at tick `now`: what to do next. `soon`: what is waited for is sure
  // to come, and in well under a millisecond.
  Action idle(std::uint64_t now, bool soon = false) noexcept;
  // Whether it would like to know, at tick `now`, if there is a processor for every thread of the
  // machine: then it looks again at once whether somebody computes on this one.
  bool asks(std::uint64_t now) const noexcept { return state_ == State::hog && now >= ask_at_; }
  void answer(std::uint64_t now, bool all_have_one) noexcept;
  // The yield that idle() asked for took from tick `from` to tick `to`.
  void yielded(std::uint64_t from, std::uint64_t to) noexcept;
  // The sleep that idle() asked for is over, at tick `now`; worked() follows if it was for work.
  void woke(std::uint64_t now) noexcept {
    slept_ = idle_since_ == 0 ? 0 : now - idle_since_;
    reset();
  }

  State state() const noexcept { return state_; }

 private:
  // Polls in HOG pay one each when they find work in time, and cost two when they do not.
  static constexpr int kPaysMax = 8;

  void reset() noexcept {
    idle_since_ = 0;
    fruitless_ = 0;
    empty_polls_ = 0;
    polling_ = false;
  }
  Action idle_beside_hogs(std::uint64_t now, bool soon) noexcept;
  void learn_from_sleep() noexcept;
  void trust_answers() noexcept;
  void foreign_slice(std::uint64_t to, std::uint64_t length) noexcept;

  const std::uint64_t spin_min_, spin_max_, soon_spin_ticks_, hog_spin_ticks_, hog_soon_ticks_,
      hog_ticks_, coop_ticks_, window_;
  const std::uint64_t pause_min_, pause_max_;
  State state_ = State::spin;
  std::uint64_t spin_ticks_;  // How long to poll before sleeping.
  std::uint64_t slept_ = 0;   // From the first empty poll to the end of the last sleep.
  bool probing_ = false;
  std::uint64_t idle_since_ = 0;
  unsigned fruitless_ = 0, empty_polls_ = 0, quick_ = 0, polls_at_once_ = 0;
  std::uint64_t window_start_ = 0, window_lost_ = 0;
  std::uint64_t hog_until_ = 0, hog_pause_;
  std::uint64_t ask_at_ = 0;
  bool told_ = false;     // The probe under way is due to an answer.
  bool believes_ = true;  // The last such probe did not cost a slice.
  bool polling_ = false;  // In HOG: this idle time began with polling.
  int pays_ = kPaysMax;
  unsigned hog_idles_ = 0;
};

}  // namespace krg::reactor

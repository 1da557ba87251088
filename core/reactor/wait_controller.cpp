#include "krg/reactor/wait_controller.h"

#include <algorithm>
#include <utility>

namespace krg::reactor {
namespace {

// Measured on a 2-core AMD EPYC virtual machine, 2026-11-22: a yield that finds nobody takes 0.3
// us, one that lets a cooperating task run a few us, one that meets a foreign busy loop a whole
// time slice of ms. Where each system call takes 1.07 us (2026-11-28), add that.
constexpr unsigned kProbeInterval = 16;       // Times eight empty polls between two yields in SPIN.
constexpr unsigned kFruitlessYieldsMax = 32;  // About 10 us of our own time.
constexpr unsigned kQuickYieldsToSpin = 16;
constexpr int kPaysToPoll = 2;
constexpr unsigned kHogPollInterval =
    64;  // Where polling does not pay: idle times between two tries.

}  // namespace

WaitController::WaitController(double ticks_per_ns, std::uint64_t ticks_per_syscall) noexcept
    : spin_min_(static_cast<std::uint64_t>(50e3 * ticks_per_ns)),
      spin_max_(static_cast<std::uint64_t>(400e3 * ticks_per_ns)),
      soon_spin_ticks_(static_cast<std::uint64_t>(1e6 * ticks_per_ns)),
      hog_spin_ticks_(static_cast<std::uint64_t>(20e3 * ticks_per_ns)),
      hog_soon_ticks_(static_cast<std::uint64_t>(200e3 * ticks_per_ns)),
      hog_ticks_(static_cast<std::uint64_t>(300e3 * ticks_per_ns)),
      coop_ticks_(static_cast<std::uint64_t>(1e3 * ticks_per_ns) + ticks_per_syscall),
      window_(static_cast<std::uint64_t>(20e6 * ticks_per_ns)),
      pause_min_(window_),
      pause_max_(static_cast<std::uint64_t>(2e9 * ticks_per_ns)),
      spin_ticks_(spin_min_),
      hog_pause_(pause_min_) {}

WaitController::Action WaitController::idle(std::uint64_t now, bool soon) noexcept {
  const bool first = idle_since_ == 0;
  if (first) idle_since_ = now;
  if (state_ == State::hog) {
    if (now < hog_until_) {
      if (first) polling_ = pays_ >= kPaysToPoll || ++hog_idles_ % kHogPollInterval == 0;
      return idle_beside_hogs(now, soon);
    }
    polling_ = false;
    state_ = State::coop;
    probing_ = true;
  }
  const std::uint64_t idle_for = now - idle_since_;
  if (state_ == State::spin) {
    if (idle_for > (soon ? soon_spin_ticks_ : spin_ticks_)) return Action::block;
    return ++empty_polls_ % kProbeInterval == 0 ? Action::yield : Action::poll;
  }
  const bool patient = soon || fruitless_ < kFruitlessYieldsMax;
  return patient && idle_for <= hog_ticks_ * 6 ? Action::yield : Action::block;
}

// A peer on another core answers while we poll, and then a burst of messages goes at full speed
// until one of the two loses its core; a peer that waits for our core never does.
WaitController::Action WaitController::idle_beside_hogs(std::uint64_t now, bool soon) noexcept {
  if (!polling_) return Action::block;
  if (now - idle_since_ <= (soon ? hog_soon_ticks_ : hog_spin_ticks_)) return Action::poll;
  polling_ = false;
  pays_ = std::max(pays_ - 2, 0);
  return Action::block;
}

void WaitController::yielded(std::uint64_t from, std::uint64_t to) noexcept {
  const std::uint64_t length = to - from;
  ++fruitless_;
  if (length <= hog_ticks_) trust_answers();
  if (length > hog_ticks_) {
    foreign_slice(to, length);
  } else if (length > coop_ticks_) {
    state_ = State::coop;
    quick_ = 0;
    hog_pause_ = pause_min_;
    if (idle_since_ != 0) idle_since_ += length;  // Time given away is not time spent idle.
  } else if (state_ == State::coop && ++quick_ > kQuickYieldsToSpin) {
    state_ = State::spin;
    quick_ = 0;
  }
  probing_ = false;
}

// What came soon after we fell asleep would have cost less had we polled a little longer.
void WaitController::learn_from_sleep() noexcept {
  const bool was_short = std::exchange(slept_, 0) <= spin_max_;
  spin_ticks_ =
      was_short ? std::min(spin_ticks_ * 2, spin_max_) : std::max(spin_ticks_ / 2, spin_min_);
}

void WaitController::trust_answers() noexcept {
  told_ = false;
  believes_ = true;
}

void WaitController::answer(std::uint64_t now, bool all_have_one) noexcept {
  ask_at_ = now + pause_min_;
  if (!all_have_one || !believes_) return;
  hog_until_ = now;
  told_ = true;
}

// A yield cost a whole slice: somebody computes on our core and does not give it back.
void WaitController::foreign_slice(std::uint64_t to, std::uint64_t length) noexcept {
  if (to - window_start_ > window_) {
    window_start_ = to - length;
    window_lost_ = 0;
  }
  window_lost_ += length;
  state_ = State::coop;
  idle_since_ = to;
  fruitless_ = 0;
  if (std::exchange(told_, false)) believes_ = false;
  if (probing_ || window_lost_ * 4 > window_) {
    state_ = State::hog;
    hog_until_ = to + hog_pause_;
    hog_pause_ = std::min(hog_pause_ * 2, pause_max_);
    ask_at_ = to + pause_min_;
    window_lost_ = 0;
    window_start_ = to;
  }
}

}  // namespace krg::reactor

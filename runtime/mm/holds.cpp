#include "holds.h"

#include <sys/timerfd.h>
#include <unistd.h>

#include <algorithm>
#include <utility>

namespace krg::mm {

// The reactor's timers are a millisecond apart, too far for this.
Holds::Holds(reactor::Reactor& reactor)
    : reactor_(reactor), timer_(::timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC)) {
  KRG_ASSERT(timer_);
  KRG_ASSERT(reactor_.watch(timer_.get(), EPOLLIN, *this));
}

Holds::~Holds() { reactor_.unwatch(timer_.get()); }

void Holds::keep(kddm::Lease lease, Duration time) {
  const TimePoint until = reactor_.now() + time;
  const auto later = std::find_if(held_.begin(), held_.end(),
                                  [&](const Held& held) { return until < held.until; });
  const bool first = later == held_.begin();
  held_.insert(later, Held{std::move(lease), until});
  if (first) arm();
}

void Holds::arm() noexcept {
  if (held_.empty()) return;
  const auto left = std::max<std::int64_t>((held_.front().until - reactor_.now()).count(), 1);
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(left / 1'000'000'000);
  spec.it_value.tv_nsec = static_cast<long>(left % 1'000'000'000);
  ::timerfd_settime(timer_.get(), 0, &spec, nullptr);
}

void Holds::on_fd(std::uint32_t) noexcept {
  std::uint64_t times = 0;
  static_cast<void>(::read(timer_.get(), &times, sizeof times));
  // The turn's instant may be a little older than the timer.
  const TimePoint due = reactor_.now() + std::chrono::microseconds(5);
  while (!held_.empty() && held_.front().until <= due) held_.pop_front();
  arm();
}

}  // namespace krg::mm

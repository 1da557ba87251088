// Ends the run of a server's reactor when its baton is lost.
#pragma once

#include <chrono>
#include <utility>

#include "krg/harness/contestant.h"
#include "krg/reactor/reactor.h"

namespace krg::bench {

// The timer bounds how long the reactor may sleep meanwhile.
class BatonWatch final : public reactor::Poller, private reactor::Timer {
 public:
  BatonWatch(reactor::Reactor& reactor, const harness::Baton& baton)
      : reactor_(reactor), baton_(baton) {
    reactor_.add_poller(*this);
    reactor_.add_timer(*this, reactor_.after(kLook));
  }
  ~BatonWatch() override { reactor_.remove_poller(*this); }

  bool poll() noexcept override {
    if (!std::exchange(lost_, !baton_.held()) && lost_) reactor_.stop();
    return false;
  }

 private:
  static constexpr std::chrono::milliseconds kLook{2};

  void on_timer() noexcept override { reactor_.add_timer(*this, reactor_.after(kLook)); }

  reactor::Reactor& reactor_;
  const harness::Baton& baton_;
  bool lost_ = false;
};

}  // namespace krg::bench

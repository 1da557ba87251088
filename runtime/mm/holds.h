// holds.h: leases that a page's users keep for a moment, so that they get to use it at all.
//
// Model    a page that others want may be taken before the thread that waits for it has run. Then a
//          lease is kept here until an instant, and the protocol waits for its end.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   Fleisch and Popek, Mirage: a coherent distributed shared memory design (the time window)
#pragma once

#include <deque>

#include "krg/base/unique_fd.h"
#include "krg/kddm/lease.h"
#include "krg/reactor/reactor.h"

namespace krg::mm {

class Holds final : private reactor::FdHandler {
 public:
  explicit Holds(reactor::Reactor& reactor);
  Holds(const Holds&) = delete;
  Holds& operator=(const Holds&) = delete;
  ~Holds();

  void keep(kddm::Lease lease, Duration time);
  // Before the Kddm goes.
  void clear() noexcept { held_.clear(); }

 private:
  struct Held {
    kddm::Lease lease;
    TimePoint until;
  };

  void on_fd(std::uint32_t) noexcept override;
  // For the first of them.
  void arm() noexcept;

  reactor::Reactor& reactor_;
  UniqueFd timer_;
  std::deque<Held> held_;  // Few: pages that bounce.
};

}  // namespace krg::mm

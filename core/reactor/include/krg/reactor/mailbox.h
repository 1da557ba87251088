// reactor/mailbox.h: how another thread hands work to a reactor.
//
// Model    post() queues a function and wakes the reactor, which runs it in its own thread, in
//          order.
// Threads  post() is safe from any thread and from a signal-free context; the rest is the
//          reactor's.
// Blocks   post() only for a mutex held for a few instructions.
// Source   docs/design/reactor.md, "Other threads"
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <vector>

#include "krg/base/unique_fd.h"
#include "krg/reactor/poller.h"

namespace krg::reactor {

class Mailbox final : public Poller {
 public:
  using Letter = std::function<void()>;

  // Cost  one lock; one eventfd write if the reactor may be asleep.
  void post(Letter letter);

  bool poll() noexcept override;
  int event_fd() const noexcept override;
  bool arm() noexcept override;
  void disarm() noexcept override;

 private:
  // Opened when first asked for, by the reactor's thread; others use it only while asleep_ is set.
  mutable UniqueFd fd_;
  std::atomic<bool> full_{false};
  std::atomic<bool> asleep_{false};
  std::mutex mutex_;
  std::vector<Letter> letters_;
};

}  // namespace krg::reactor

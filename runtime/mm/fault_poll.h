// fault_poll.h: the userfaultfds of this node's tasks, looked at more often than other descriptors.
//
// Model    a reactor that polls looks at its descriptors every 30 us, which is more than a fault
//          takes. While faults come, this one looks in every turn: one system call for all tasks.
// Threads  owned by the reactor's thread.
// Blocks   never.
// Source   docs/design/reactor.md, "Waiting"; docs/design/mm.md, "Speed"
#pragma once

#include "krg/base/unique_fd.h"
#include "krg/error/result.h"
#include "krg/reactor/reactor.h"

namespace krg::mm {

class FaultPoll final : public reactor::Poller {
 public:
  explicit FaultPoll(reactor::Reactor& reactor);
  FaultPoll(const FaultPoll&) = delete;
  FaultPoll& operator=(const FaultPoll&) = delete;
  ~FaultPoll() override;

  // `handler` is called when the descriptor is readable; it removes none from within.
  // Errors  system_error
  Status add(int fd, reactor::FdHandler& handler);
  void remove(int fd) noexcept;

  bool poll() noexcept override;
  int event_fd() const noexcept override { return epoll_.get(); }
  void disarm() noexcept override { hot_ = kHot; }

 private:
  // Looks in vain until it looks less often; and how often then.
  static constexpr unsigned kHot = 512;
  static constexpr unsigned kColdTurns = 32;

  reactor::Reactor& reactor_;
  UniqueFd epoll_;
  std::size_t count_ = 0;
  unsigned hot_ = 0;
  unsigned turns_ = 0;
};

}  // namespace krg::mm

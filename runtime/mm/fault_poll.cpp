#include "fault_poll.h"

#include <sys/epoll.h>

#include <array>

namespace krg::mm {

FaultPoll::FaultPoll(reactor::Reactor& reactor)
    : reactor_(reactor), epoll_(::epoll_create1(EPOLL_CLOEXEC)) {
  KRG_ASSERT(epoll_);
  reactor_.add_poller(*this);
}

FaultPoll::~FaultPoll() { reactor_.remove_poller(*this); }

Status FaultPoll::add(int fd, reactor::FdHandler& handler) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.ptr = &handler;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return errno_error(Errc::system_error, "watching a userfaultfd");
  }
  ++count_;
  return {};
}

void FaultPoll::remove(int fd) noexcept {
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr) == 0) --count_;
}

bool FaultPoll::poll() noexcept {
  if (count_ == 0) return false;
  if (hot_ == 0 && ++turns_ % kColdTurns != 0) return false;
  std::array<epoll_event, 32> events;
  const int n = ::epoll_wait(epoll_.get(), events.data(), static_cast<int>(events.size()), 0);
  if (n <= 0) {
    if (hot_ > 0) --hot_;
    return false;
  }
  hot_ = kHot;
  for (int i = 0; i < n; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<reactor::FdHandler*>(event.data.ptr)->on_fd(event.events);
  }
  return true;
}

}  // namespace krg::mm

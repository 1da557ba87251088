#include "krg/reactor/mailbox.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "krg/base/assert.h"

namespace krg::reactor {

int Mailbox::event_fd() const noexcept {
  if (!fd_) fd_.reset(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  KRG_ASSERT(fd_);
  return fd_.get();
}

void Mailbox::post(Letter letter) {
  {
    const std::lock_guard lock(mutex_);
    letters_.push_back(std::move(letter));
  }
  full_.store(true);
  if (asleep_.load()) {
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = ::write(fd_.get(), &one, sizeof one);
  }
}

bool Mailbox::poll() noexcept {
  if (!full_.load(std::memory_order_relaxed)) return false;
  std::vector<Letter> batch;
  {
    const std::lock_guard lock(mutex_);
    full_.store(false);
    batch.swap(letters_);
  }
  for (Letter& letter : batch) letter();
  return !batch.empty();
}

bool Mailbox::arm() noexcept {
  event_fd();  // Before post() may look for it.
  asleep_.store(true);
  return !full_.load();
}

void Mailbox::disarm() noexcept {
  asleep_.store(false);
  std::uint64_t count;
  [[maybe_unused]] const ssize_t n = ::read(fd_.get(), &count, sizeof count);
}

}  // namespace krg::reactor

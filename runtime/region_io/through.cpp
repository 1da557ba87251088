#include "through.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <new>

#include "krg/region/spans.h"

namespace krg {
namespace {

constexpr std::size_t kAlign = 16;

std::size_t aligned(std::size_t bytes) noexcept { return (bytes + kAlign - 1) / kAlign * kAlign; }

}  // namespace

Through::Through(const msghdr& message, Way way) : given_(message), way_(way) {
  look(message.msg_name, message.msg_namelen);
  look(message.msg_control, message.msg_controllen);
  if (overlapping(message.msg_iov, message.msg_iovlen * sizeof(iovec)) != Span::none) {
    needed_ = true;
  }
  for (std::size_t i = 0; i < message.msg_iovlen; ++i) {
    look(message.msg_iov[i].iov_base, message.msg_iov[i].iov_len);
  }
  if (!needed_ || error_ != 0) return;
  bytes_ += aligned(sizeof(msghdr)) + aligned(message.msg_iovlen * sizeof(iovec));
  // Not the heap, nor the stack: those may be in a region.
  void* const at =
      ::mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (at == MAP_FAILED) {
    error_ = ENOMEM;
    return;
  }
  memory_ = static_cast<std::byte*>(at);
  copy();
}

Through::~Through() {
  if (memory_ == nullptr) return;
  const int error = errno;
  ::munmap(memory_, bytes_);
  errno = error;
}

// Counts what it needs.
bool Through::look(const void* at, std::size_t bytes) noexcept {
  const Span span = overlapping(at, bytes);
  if (span == Span::none) return false;
  needed_ = true;
  bytes_ += aligned(bytes);
  if (way_ == Way::in && span == Span::read_only) error_ = EFAULT;
  return true;
}

void* Through::take(std::size_t bytes) noexcept {
  void* const at = memory_ + taken_;
  taken_ += aligned(bytes);
  return at;
}

void Through::copy() noexcept {
  copy_ = new (take(sizeof(msghdr))) msghdr(given_);
  copy_->msg_iov = static_cast<iovec*>(take(given_.msg_iovlen * sizeof(iovec)));
  const auto through = [&](void* at, std::size_t bytes) {
    if (overlapping(at, bytes) == Span::none) return at;
    void* const own = take(bytes);
    if (way_ == Way::out) std::memcpy(own, at, bytes);
    return own;
  };
  copy_->msg_name = through(given_.msg_name, given_.msg_namelen);
  copy_->msg_control = through(given_.msg_control, given_.msg_controllen);
  for (std::size_t i = 0; i < given_.msg_iovlen; ++i) {
    const iovec& part = given_.msg_iov[i];
    copy_->msg_iov[i] = {through(part.iov_base, part.iov_len), part.iov_len};
  }
}

void Through::deliver(std::size_t bytes) noexcept {
  const auto back = [](void* to, const void* from, std::size_t size) {
    if (to != from && size > 0) std::memcpy(to, from, size);
  };
  back(given_.msg_name, copy_->msg_name, std::min(given_.msg_namelen, copy_->msg_namelen));
  back(given_.msg_control, copy_->msg_control,
       std::min(given_.msg_controllen, copy_->msg_controllen));
  for (std::size_t i = 0; i < given_.msg_iovlen && bytes > 0; ++i) {
    const std::size_t here = std::min(bytes, given_.msg_iov[i].iov_len);
    back(given_.msg_iov[i].iov_base, copy_->msg_iov[i].iov_base, here);
    bytes -= here;
  }
}

}  // namespace krg

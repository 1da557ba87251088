#include "krg/uffd/uffd.h"

#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "krg/base/descriptors.h"

namespace krg {
namespace {

// What the headers of Linux 6.1 do not have yet.
constexpr std::uint64_t kFeaturePoison = std::uint64_t{1} << 14;
constexpr std::uint64_t kContinueModeWp = std::uint64_t{1} << 1;
struct Poison {
  uffdio_range range;
  std::uint64_t mode;
  std::int64_t updated;
};
constexpr unsigned long kPoison = _IOWR(UFFDIO, 0x08, Poison);
constexpr unsigned long kNew = _IO(0xAA, 0x00);
#ifndef UFFD_USER_MODE_ONLY
constexpr int UFFD_USER_MODE_ONLY = 1;
#endif

constexpr std::uint64_t kFeatures = UFFD_FEATURE_MISSING_SHMEM | UFFD_FEATURE_MINOR_SHMEM |
                                    UFFD_FEATURE_PAGEFAULT_FLAG_WP |
                                    UFFD_FEATURE_WP_HUGETLBFS_SHMEM | kFeaturePoison;

uffdio_range range_of(std::uintptr_t begin, std::size_t bytes) noexcept {
  return {static_cast<std::uint64_t>(begin), static_cast<std::uint64_t>(bytes)};
}

Status status_of(int error) noexcept {
  switch (error) {
    case ESRCH:
      return Error(Errc::stale, "the process is gone");
    case EAGAIN:
      return Error(Errc::would_block, "its address space is being changed");
    case ENOENT:
      return Error(Errc::not_found, "not registered");
    case EFAULT:
      return Error(Errc::corrupt, "no page there");
    default:
      errno = error;
      return errno_error(Errc::system_error, "userfaultfd");
  }
}

// With the right to serve faults of the kernel if that can be had.
UniqueFd open_any(bool& serves_kernel) noexcept {
  constexpr int kFlags = O_CLOEXEC | O_NONBLOCK;
  UniqueFd fd;
  if (!serves_kernel) {
    fd.reset(static_cast<int>(::syscall(SYS_userfaultfd, kFlags | UFFD_USER_MODE_ONLY)));
    return fd;
  }
  fd.reset(static_cast<int>(::syscall(SYS_userfaultfd, kFlags)));
  if (fd) return fd;
  if (const UniqueFd device(::open("/dev/userfaultfd", O_RDWR | O_CLOEXEC)); device) {
    fd.reset(::ioctl(device.get(), kNew, kFlags));
    if (fd) return fd;
  }
  serves_kernel = false;
  return open_any(serves_kernel);
}

}  // namespace

Result<Uffd> Uffd::open(Serves serves) {
  Uffd made;
  made.serves_kernel_ = serves == Serves::kernel_too;
  made.fd_ = open_any(made.serves_kernel_);
  if (!made.fd_)
    return errno_error(errno == EPERM ? Errc::denied : Errc::not_supported, "userfaultfd");
  uffdio_api api{};
  api.api = UFFD_API;
  api.features = kFeatures;
  if (::ioctl(made.fd(), UFFDIO_API, &api) != 0) {
    return Error(Errc::not_supported, "this kernel's userfaultfd is too old: Linux 6.8 is needed");
  }
  return made;
}

Result<UniqueFd> Uffd::duplicate() const noexcept {
  UniqueFd copy = krg::duplicate(fd());
  if (!copy) return errno_error(Errc::system_error, "fcntl");
  return copy;
}

Status Uffd::watch(std::uintptr_t begin, std::size_t bytes) const noexcept {
  uffdio_register r{};
  r.range = range_of(begin, bytes);
  r.mode = UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_MINOR | UFFDIO_REGISTER_MODE_WP;
  if (::ioctl(fd(), UFFDIO_REGISTER, &r) == 0) return {};
  return errno_error(errno == EBUSY ? Errc::already_exists : Errc::system_error, "UFFDIO_REGISTER");
}

std::size_t Uffd::read(std::span<Fault> into) const noexcept {
  std::array<uffd_msg, kBatch> messages;
  const ssize_t got = ::read(fd(), messages.data(), into.size() * sizeof(uffd_msg));
  if (got <= 0) return 0;
  std::size_t faults = 0;
  for (std::size_t i = 0; i < static_cast<std::size_t>(got) / sizeof(uffd_msg); ++i) {
    if (messages[i].event != UFFD_EVENT_PAGEFAULT) continue;
    const auto& fault = messages[i].arg.pagefault;
    const bool protection = (fault.flags & UFFD_PAGEFAULT_FLAG_WP) != 0;
    into[faults++] = {static_cast<std::uintptr_t>(fault.address),
                      protection || (fault.flags & UFFD_PAGEFAULT_FLAG_WRITE) != 0, protection};
  }
  return faults;
}

Result<std::size_t> Uffd::map(std::uintptr_t begin, std::size_t bytes, bool write) const noexcept {
  uffdio_continue c{};
  c.range = range_of(begin, bytes);
  c.mode = write ? 0 : kContinueModeWp;
  if (::ioctl(fd(), UFFDIO_CONTINUE, &c) == 0) return bytes;
  if (c.mapped > 0) return static_cast<std::size_t>(c.mapped);
  if (errno == EEXIST) return std::size_t{0};
  return status_of(errno).error();
}

namespace {

Status set_protection(int fd, std::uintptr_t begin, std::size_t bytes, std::uint64_t mode) {
  for (;;) {
    uffdio_writeprotect w{};
    w.range = range_of(begin, bytes);
    w.mode = mode;
    if (::ioctl(fd, UFFDIO_WRITEPROTECT, &w) == 0) return {};
    // Somebody forks, or maps: it is a matter of microseconds, and a page that others are told to
    // be read-only must be so.
    if (errno != EAGAIN) return status_of(errno);
  }
}

}  // namespace

Status Uffd::protect(std::uintptr_t begin, std::size_t bytes) const noexcept {
  return set_protection(fd(), begin, bytes, UFFDIO_WRITEPROTECT_MODE_WP);
}

Status Uffd::permit(std::uintptr_t begin, std::size_t bytes) const noexcept {
  return set_protection(fd(), begin, bytes, 0);
}

Status Uffd::poison(std::uintptr_t begin, std::size_t bytes) const noexcept {
  Poison p{range_of(begin, bytes), 0, 0};
  if (::ioctl(fd(), kPoison, &p) == 0 || errno == EEXIST) return {};
  return status_of(errno);
}

Status Uffd::wake(std::uintptr_t begin, std::size_t bytes) const noexcept {
  uffdio_range r = range_of(begin, bytes);
  return ::ioctl(fd(), UFFDIO_WAKE, &r) == 0 ? Status() : status_of(errno);
}

}  // namespace krg

// uffd/uffd.h: a userfaultfd: page faults of a process, dealt with by whoever holds the descriptor.
//
// Model    a process opens one, registers ranges that map a memfd, and passes the descriptor on.
//          Its holder reads the faults, and maps, protects and poisons pages of that process, in
//          which all this happens wherever it is called. A fault waits until its page is mapped,
//          permitted, poisoned or woken.
// Threads  safe, as the system call is.
// Blocks   never but in the kernel: the descriptor is non-blocking.
// Source   ioctl_userfaultfd(2); Linux 6.8: UFFDIO_CONTINUE_MODE_WP, UFFDIO_POISON
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "krg/base/unique_fd.h"
#include "krg/error/result.h"

namespace krg {

class Uffd {
 public:
  struct Fault {
    std::uintptr_t address = 0;  // Somewhere in the page.
    bool write = false;
    bool mapped = false;  // The page is mapped to be read, and was written.
  };

  // Whom it serves: faults of system calls as well, if that can be had; or not even then.
  enum class Serves : std::uint8_t { kernel_too, user_only };

  Uffd() = default;
  // Of this process. Errors  not_supported  the kernel has none that can do this; denied
  static Result<Uffd> open(Serves serves = Serves::kernel_too);
  // One that another process has passed.
  explicit Uffd(UniqueFd fd) noexcept : fd_(std::move(fd)) {}

  int fd() const noexcept { return fd_.get(); }
  explicit operator bool() const noexcept { return static_cast<bool>(fd_); }
  // Whether system calls that touch a page wait for it too; else they end with EFAULT.
  bool serves_kernel() const noexcept { return serves_kernel_; }
  // Another descriptor of the same. Errors  system_error
  Result<UniqueFd> duplicate() const noexcept;

  // From now on all accesses to pages of the range that are not mapped, or mapped to be read and
  // written, are faults. Requires  whole pages, a shared mapping of a memfd.
  // Errors  already_exists  another userfaultfd has it; system_error
  Status watch(std::uintptr_t begin, std::size_t bytes) const noexcept;
  // Takes the faults that wait to be dealt with, as many as `into` has room for; their number.
  // Requires  into.size() <= kBatch.
  static constexpr std::size_t kBatch = 32;
  std::size_t read(std::span<Fault> into) const noexcept;

  // Errors of the following:
  //   stale        the process, or its address space, is gone
  //   would_block  its address space is being changed: try again
  //   not_found    nothing is registered there (any more)
  //   corrupt      map(): the memory has no page there

  // Maps pages that are there, to be read or also to be written, and wakes who waits for them.
  // How many bytes were mapped: all, or those before a page that had been mapped already.
  Result<std::size_t> map(std::uintptr_t begin, std::size_t bytes, bool write) const noexcept;
  // Pages that are mapped, or will be by others, can be read only.
  Status protect(std::uintptr_t begin, std::size_t bytes) const noexcept;
  // They can be written again; wakes.
  Status permit(std::uintptr_t begin, std::size_t bytes) const noexcept;
  // Whoever touches them gets SIGBUS.
  Status poison(std::uintptr_t begin, std::size_t bytes) const noexcept;
  // Who waits tries again.
  Status wake(std::uintptr_t begin, std::size_t bytes) const noexcept;

 private:
  UniqueFd fd_;
  bool serves_kernel_ = false;
};

}  // namespace krg

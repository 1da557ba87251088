// through.h: private memory that the arguments of one system call go through.
//
// Model    a copy of the call's message header, of its list of parts, and of each part that has
//          bytes of a region; the others are as they were. What the call has written is copied to
//          where it belongs by deliver().
// Threads  owned by one thread; signal handlers may have others meanwhile.
// Blocks   in loads and stores of regions.
// Source   docs/design/mm.md, "System calls"
#pragma once

#include <sys/socket.h>
#include <sys/uio.h>

#include <cstddef>
#include <span>

namespace krg {

class Through {
 public:
  enum class Way { out, in };  // The call reads the memory, or writes it.

  // Requires  what `message` points to outlives this. Its parts are IOV_MAX at most.
  Through(const msghdr& message, Way way);
  Through(const Through&) = delete;
  Through& operator=(const Through&) = delete;
  ~Through();

  // Whether the call is to be made with message(); else with what it was.
  bool needed() const noexcept { return needed_; }
  // 0, or why it can not be made.
  int error() const noexcept { return error_; }
  // Requires  needed(), no error()
  msghdr& message() noexcept { return *copy_; }
  iovec* parts() noexcept { return copy_->msg_iov; }

  // The call has read so many bytes into the parts; into `name` and `control` what message() says.
  void deliver(std::size_t bytes) noexcept;

 private:
  // `bytes` of it, aligned; once there is memory.
  void* take(std::size_t bytes) noexcept;
  bool look(const void* at, std::size_t bytes) noexcept;
  void copy() noexcept;

  const msghdr& given_;
  const Way way_;
  bool needed_ = false;
  int error_ = 0;
  std::byte* memory_ = nullptr;
  std::size_t bytes_ = 0;
  std::size_t taken_ = 0;
  msghdr* copy_ = nullptr;
};

}  // namespace krg

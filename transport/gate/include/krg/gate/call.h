// gate/call.h: one call in service, as its handler sees it.
//
// Model    a handler gets a Call and the decoded request. The Call lives until the handler has
//          answered, or until the caller is gone: then a coroutine handler is destroyed where it is
//          suspended.
// Threads  the reactor's thread.
// Blocks   never.
// Source   docs/design/gate.md, "Serving"
#pragma once

#include <sys/types.h>

#include <array>
#include <coroutine>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

#include "krg/base/deadline.h"
#include "krg/base/descriptors.h"
#include "krg/base/unique_fd.h"
#include "krg/error/result.h"

namespace krg::gate {

// Who calls, as the kernel says (SO_PEERCRED), not as the message says.
struct Caller {
  pid_t pid = -1;
  uid_t uid = static_cast<uid_t>(-1);
  gid_t gid = static_cast<gid_t>(-1);
  std::uint64_t session = 0;  // Never used twice in the life of a krgd.
};

class Conversation;
class Served;
struct Serving;

class Call {
 public:
  Call() = default;
  Call(const Call&) = delete;
  Call& operator=(const Call&) = delete;
  virtual ~Call();

  virtual const Caller& caller() const noexcept = 0;
  Deadline deadline() const noexcept { return deadline_; }
  // The descriptors that came with the request; only over the socket.
  std::vector<UniqueFd> take_fds() noexcept { return std::exchange(fds_, {}); }
  // Sends `fd` along with the reply.
  // Errors  not_supported  the call came through a lane; limit_reached  kFdsMax are waiting.
  virtual Status pass(UniqueFd fd) = 0;
  // The same for one that is kept. Errors  system_error  no descriptor is left
  Status pass_copy(int fd) {
    UniqueFd copy = duplicate(fd);
    return copy ? pass(std::move(copy)) : errno_error(Errc::system_error, "fcntl");
  }
  // The stream beside the call; nullptr for a call through a lane.
  virtual Conversation* conversation() noexcept { return nullptr; }

  // What the handler did for the caller, and is to be undone if the caller gives the call up before
  // it can take the answer: called then, once. Only for calls through a lane.
  // Requires  what `undo` refers to outlives the call.
  template <class F>
  void if_unwanted(F undo) noexcept {
    static_assert(std::is_trivially_copyable_v<F> && sizeof(F) <= kUndoBytes);
    new (undo_bytes_.data()) F(undo);
    undo_ = [](std::byte* bytes) { (*std::launder(reinterpret_cast<F*>(bytes)))(); };
  }

  // For handlers' glue (handler.h) alone.
  std::span<const std::byte> request() const noexcept { return request_; }
  // Where the reply of `size` bytes is to be written; nothing if that is too large.
  virtual std::span<std::byte> room(std::size_t size) = 0;
  // Sends the `size` bytes that were written into room().
  virtual void complete(std::size_t size) = 0;
  virtual void fail(const Error& error) = 0;
  // The handler has ended; the call may be gone afterwards.
  virtual void finished() noexcept = 0;

 protected:
  // A handler takes the call; counted where it says.
  void count_begun(Served* served) noexcept;
  void count_answered(std::size_t size);
  void count_failed() noexcept;
  void forget_undo() noexcept { undo_ = nullptr; }
  void undo() {
    if (undo_ != nullptr) std::exchange(undo_, nullptr)(undo_bytes_.data());
  }
  // Destroys the handler's coroutine, if it is suspended in one.
  void stop_serving() noexcept;

  std::span<const std::byte> request_;
  std::vector<UniqueFd> fds_;
  Deadline deadline_ = Deadline::never();

 private:
  friend struct Serving;
  std::coroutine_handle<> serving_;
  Served* served_ = nullptr;
  std::uint64_t begun_ = 0;  // See Served::begun().
  static constexpr std::size_t kUndoBytes = 48;
  void (*undo_)(std::byte*) = nullptr;
  alignas(std::max_align_t) std::array<std::byte, kUndoBytes> undo_bytes_;
};

}  // namespace krg::gate

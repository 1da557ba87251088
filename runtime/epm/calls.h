// calls.h: system calls made by another process's thread.
//
// Model    one call by the `syscall` instruction of the vDSO; many by a loop of 70 bytes in a
//          scratch mapping, which takes them from a table and stores what they return. A batch
//          ends with tkill(SIGSTOP) to itself: a breakpoint would reset a blocked SIGTRAP's
//          disposition. The thread has all its signals blocked meanwhile.
// Threads  as tracee.h.
// Blocks   as tracee.h.
// Source   docs/design/epm.md, "Calls made by the target"
#pragma once

#include <cstdint>
#include <initializer_list>
#include <vector>

#include "krg/error/result.h"
#include "tracee.h"

namespace krg::epm {

// What a system call returns: an address, a number, or minus an errno.
constexpr bool is_error(std::uint64_t result) { return result > std::uint64_t{0} - 4096; }

// A call by the instruction at `gadget`; the thread is then stopped with other registers.
Result<std::uint64_t> call(pid_t tid, Registers base, std::uint64_t gadget, long number,
                           std::initializer_list<std::uint64_t> arguments = {});

// The mapping in a process that batches run from.
class Scratch {
 public:
  Scratch() = default;
  // Where it is; its first page holds the loop.
  Scratch(pid_t pid, std::uint64_t begin, std::uint64_t bytes)
      : pid_(pid), begin_(begin), bytes_(bytes), at_(data()) {}
  // Maps one by a call; `begin` = 0 lets the kernel choose.
  static Result<Scratch> map(pid_t pid, const Registers& base, std::uint64_t gadget,
                             std::uint64_t begin, std::uint64_t bytes);

  pid_t pid() const noexcept { return pid_; }
  std::uint64_t begin() const noexcept { return begin_; }
  std::uint64_t bytes() const noexcept { return bytes_; }
  std::uint64_t code() const noexcept { return begin_; }
  std::uint64_t table() const noexcept { return begin_ + 4096; }
  // Half of it is for the table of calls, half for what they point to.
  std::uint64_t data() const noexcept { return begin_ + bytes_ / 2; }
  std::size_t calls_max() const noexcept { return (bytes_ / 2 - 4096) / 64 - 1; }

  // Copies something there for a call to point to. Errors  limit_reached
  Result<std::uint64_t> put(const void* from, std::size_t bytes);
  // Room that a call fills. Errors  limit_reached
  Result<std::uint64_t> room(std::size_t bytes);
  // What is there may be overwritten.
  void clear() noexcept { at_ = data(); }

 private:
  pid_t pid_ = 0;
  std::uint64_t begin_ = 0;
  std::uint64_t bytes_ = 0;
  std::uint64_t at_ = 0;
};

class Batch {
 public:
  // Returns its index.
  std::size_t add(long number, std::initializer_list<std::uint64_t> arguments);
  // Makes the thread do all calls, as many at a time as there is room for. `made` gets the threads
  // that they made.
  Status run(pid_t tid, Registers base, const Scratch& scratch, std::vector<pid_t>* made = nullptr);
  std::uint64_t result(std::size_t index) const noexcept { return calls_[index].result; }
  std::size_t size() const noexcept { return calls_.size(); }
  // The first from `begin` on that has failed; size() if none has.
  std::size_t first_failed(std::size_t begin = 0) const noexcept;
  long number(std::size_t index) const noexcept { return static_cast<long>(calls_[index].number); }

 private:
  struct Call {
    std::uint64_t number = 0;
    std::uint64_t arguments[6] = {};
    std::uint64_t result = 0;
  };
  Status run_part(pid_t tid, Registers base, const Scratch& scratch, std::size_t begin,
                  std::size_t count, std::vector<pid_t>* made);

  std::vector<Call> calls_;
};

}  // namespace krg::epm

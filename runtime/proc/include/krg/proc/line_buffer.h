// proc/line_buffer.h: a stream of bytes cut into whole lines, within a bound.
//
// Model    what add() gets goes to `emit` in the same order and complete, but only up to the last
// newline;
//          the beginning of a line waits for its end, for flush(), or until it is kLineMax long.
// Threads  owned by one thread.
// Blocks   never. Cost: no copy of text that ends in a newline and follows one.
// Source   docs/design/launch.md, "Output"
#pragma once

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>

namespace krg::proc {

class LineBuffer {
 public:
  // A longer line is passed on in pieces: a task that never writes a newline must not fill this
  // process.
  static constexpr std::size_t kLineMax = 64 * 1024;
  using Emit = std::function<void(std::span<const std::byte>)>;

  explicit LineBuffer(Emit emit) : emit_(std::move(emit)) {}
  void add(std::span<const std::byte> bytes);
  // Passes on the beginning of a line, if there is one.
  void flush();
  std::size_t pending() const noexcept { return pending_.size(); }

 private:
  Emit emit_;
  std::string pending_;  // Without a newline; shorter than kLineMax.
};

}  // namespace krg::proc

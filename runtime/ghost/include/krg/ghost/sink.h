// ghost/sink.h: where an archive is written to.
//
// Model    takes bytes in order. One that sends them on while the archive is being written says
//          when it is full; the writer then refuses the next part with would_block until the sink
//          has been drained. Memory and files are never full.
// Threads  owned by one thread.
// Blocks   as the sink says. MemorySink: never.
// Source   docs/design/ghost.md, "Sinks and sources"
#pragma once

#include <cstddef>
#include <vector>

#include "krg/error/result.h"
#include "krg/ghost/archive.h"

namespace krg::ghost {

class Sink {
 public:
  virtual ~Sink();

  // Takes `head` and then `body`, all of them, also when it is full.
  // Errors  of the sink; what was written before is then worthless.
  virtual Status write(Bytes head, Bytes body) = 0;
  virtual bool full() const noexcept { return false; }
};

class MemorySink final : public Sink {
 public:
  Status write(Bytes head, Bytes body) override;

  const std::vector<std::byte>& bytes() const& noexcept { return bytes_; }
  std::vector<std::byte> bytes() && noexcept { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

}  // namespace krg::ghost

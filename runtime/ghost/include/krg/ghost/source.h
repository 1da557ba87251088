// ghost/source.h: where an archive is read from.
//
// Model    bytes in order, looked at before they are taken. The reader asks for what it needs at
//          once, never for more than one part of an archive: kPieceBytes and a few.
// Threads  owned by one thread.
// Blocks   as the source says. MemorySource: never.
// Source   docs/design/ghost.md, "Sinks and sources"
#pragma once

#include <cstddef>

#include "krg/error/result.h"
#include "krg/ghost/archive.h"

namespace krg::ghost {

class Source {
 public:
  virtual ~Source();

  // The next `size` bytes, valid until the next peek().
  // Errors  would_block    not all of them are here yet; ask again.
  //         end_of_stream  there are fewer, and there will be.
  //         of the source.
  virtual Result<Bytes> peek(std::size_t size) = 0;
  // Requires  no more than was last peeked.
  virtual void consume(std::size_t size) noexcept = 0;
};

class MemorySource final : public Source {
 public:
  // `bytes` outlive the source.
  explicit MemorySource(Bytes bytes) noexcept : left_(bytes) {}

  Result<Bytes> peek(std::size_t size) override;
  void consume(std::size_t size) noexcept override { left_ = left_.subspan(size); }

 private:
  Bytes left_;
};

}  // namespace krg::ghost

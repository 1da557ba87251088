// ghost/writer.h: writes an archive, part by part, holding none of it.
//
// Model    begin(); then sections: fields() for a message, begin_runs(), run() and hole()... and
//          end_runs() for memory; then end(). After a failure of the sink every call fails with the
//          same error. The sink is the caller's to drain and to close.
// Threads  owned by one thread.
// Blocks   as the sink does.
// Source   docs/design/ghost.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "krg/ghost/archive.h"
#include "krg/ghost/sink.h"

namespace krg::ghost {

class Packer;
struct Frame;

// Errors of all  would_block  the sink is full: nothing was written; drain it and call again.
//                of the sink.
class Writer {
 public:
  explicit Writer(Sink& sink) noexcept;
  Writer(const Writer&) = delete;
  Writer& operator=(const Writer&) = delete;
  ~Writer();

  // Requires  first; is_name(head.kind).
  Status begin(const ArchiveHead& head);

  // A whole section that holds one message.
  // Requires  is_name(head.name); between sections.
  // Errors    too_large  more than kFieldsBytesMax; nothing was written.
  template <wire::Message T>
  Status fields(const SectionHead& head, const T& message) {
    const auto bytes = wire::encode(message);
    return fields(head, Bytes(bytes));
  }
  Status fields(const SectionHead& head, Bytes encoded);

  // A section of runs of memory.
  // Requires  is_name(head.name); between sections.
  Status begin_runs(const SectionHead& head);
  // Memory at `address`. Longer runs are written as several.
  // Requires  after begin_runs(); 1 to kPieceBytes bytes that do not wrap around.
  // Cost      a checksum of the bytes, one write of the sink; a compression if packed.
  Status run(std::uint64_t address, Bytes bytes);
  // `length` zeros at `address`.
  // Requires  after begin_runs(); length > 0, and they do not wrap around.
  Status hole(std::uint64_t address, std::uint64_t length);
  // Never would_block.
  Status end_runs();

  // The archive's end. Never would_block.
  // Requires  between sections; last.
  Status end();

  // Bytes that went to the sink.
  std::uint64_t written() const noexcept { return offset_; }

 private:
  enum class At : std::uint8_t { start, between, in_runs, ended };

  Status ready();
  Status put(const Frame& frame);
  Status put_content(Frame frame);
  Status begin_section(const SectionHead& head);
  Status end_section();

  Sink& sink_;
  std::unique_ptr<Packer> packer_;  // Once a section is packed.
  std::optional<Error> failed_;
  std::uint64_t offset_ = 0;
  std::uint64_t sections_ = 0;
  std::uint64_t parts_ = 0;  // Of this section, as are the next two.
  std::uint64_t content_ = 0;
  Packing packing_ = Packing::plain;
  At at_ = At::start;
};

}  // namespace krg::ghost

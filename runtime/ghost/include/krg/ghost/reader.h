// ghost/reader.h: reads an archive, part by part, and believes nothing that is not checked.
//
// Model    next() goes to the next section that the caller knows; fields() gives its message, or
//          run() its runs until there are none. What was not read of a section is checked and
//          passed over by next(). An unknown section is passed over if it is optional, and refused
//          by name otherwise; a later version of a known one likewise. When the source has not
//          enough yet, calls fail with would_block, and nothing is lost: call again.
// Threads  owned by one thread.
// Blocks   as the source does.
// Source   docs/design/ghost.md
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "krg/ghost/archive.h"
#include "krg/ghost/source.h"

namespace krg::ghost {

class Packer;
struct Frame;

// A section that the caller understands, up to `version`.
struct Known {
  std::string_view name;
  std::uint16_t version = 1;
};

struct Run {
  std::uint64_t address = 0;
  std::uint64_t length = 0;
  Bytes bytes;  // Valid until the next call; empty if it is a hole, which holds zeros.

  bool is_hole() const noexcept { return bytes.empty(); }
};

// Errors of all  would_block    see above.
//                corrupt        damaged or cut off at offset(); every later call fails likewise.
//                not_supported  refused() names the section.
//                version_mismatch  not an archive of this format.
//                of the source.
class Reader {
 public:
  // Gives out every section.
  explicit Reader(Source& source) noexcept;
  // Gives out those that are `known`, which outlive the reader.
  Reader(Source& source, std::span<const Known> known) noexcept;
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader();

  // The archive's head, before the first section.
  Result<ArchiveHead> head();
  // The next section; nothing after the last, once the archive's end has been seen and is right.
  Result<std::optional<SectionHead>> next();

  // Whether the section that was given out holds a message; an empty section does.
  // Requires  after next() has given a section, before any of it is read.
  Result<bool> holds_fields();

  // The message of the section. A std::span in it is valid until next().
  // Requires  after next() has given a section.
  template <wire::Message T>
  Result<T> fields() {
    KRG_TRY_ASSIGN(const Bytes bytes, fields());
    auto message = wire::decode<T>(bytes);
    if (!message) return fail(Error(Errc::corrupt, "a section does not hold what its name says"));
    return message;
  }
  Result<Bytes> fields();

  // The section's next run, of at most kPieceBytes unless it is a hole; nothing after the last.
  // Requires  after next() has given a section.
  Result<std::optional<Run>> run();

  // Where the part begins that was read last.
  std::uint64_t offset() const noexcept { return offset_; }
  // "section 'name' version 3", after not_supported.
  const std::string& refused() const noexcept { return refused_; }
  // Of the section given out: its parts, their bytes as written and as they were. Whole after run()
  // has given nothing, or fields() all.
  struct Counts {
    std::uint64_t parts = 0;
    std::uint64_t stored = 0;
    std::uint64_t content = 0;  // Holes not counted.
  };
  const Counts& counts() const noexcept { return counts_; }

 private:
  enum class At : std::uint8_t { start, between, in_section, section_done, ended };

  // Notes the failure for good, unless it is would_block.
  Error fail(Error error) noexcept;
  Result<Frame> look();
  void take(const Frame& frame) noexcept;
  Result<Bytes> content(const Frame& frame);
  Result<std::optional<Frame>> part();
  Status end_section(const Frame& frame);
  Status end_archive(const Frame& frame);
  Result<bool> is_wanted(const SectionHead& head);

  Source& source_;
  const std::optional<std::span<const Known>> known_;
  std::unique_ptr<Packer> packer_;  // Once something packed was met.
  std::vector<std::byte> fields_;
  std::optional<Error> failed_;
  std::string refused_;
  ArchiveHead head_;
  Counts counts_;
  std::uint64_t offset_ = 0;
  std::uint64_t next_offset_ = 0;
  std::uint64_t sections_ = 0;
  At at_ = At::start;
};

}  // namespace krg::ghost

// ghost/frame.h: the parts that an archive is made of, on the lowest level.
//
// Model    eight bytes of magic, then frames, each of a head of 32 bytes and a body:
//            u64 checksum, u8 kind, u8 flags, u16 0, u32 stored, u32 plain, u32 0, u64 place
//          The checksum covers the rest of the head, the body, and where the frame begins.
// Threads  safe.
// Blocks   never.
// Source   docs/design/ghost.md, "Format"
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "krg/error/result.h"
#include "krg/ghost/archive.h"

namespace krg::ghost {

inline constexpr std::array<char, 8> kMagic{'K', 'R', 'G', 'G', 'H', 'O', 'S', 'T'};
inline constexpr std::uint16_t kFormat = 1;
inline constexpr std::size_t kFrameHeadBytes = 32;

enum class FrameKind : std::uint8_t {
  archive = 1,  // body: Begin
  section,      // body: SectionHead
  fields,       // body: a piece of the encoded message
  run,          // place: address; body: the memory
  hole,         // place: address; body: Hole
  section_end,  // body: SectionEnd
  archive_end,  // body: ArchiveEnd
};
inline constexpr std::uint8_t kPackedFlag = 1;

struct Frame {
  FrameKind kind{};
  std::uint8_t flags = 0;
  std::uint32_t plain = 0;  // Bytes of the body before it was packed.
  std::uint64_t place = 0;
  Bytes body;  // As stored.

  bool is_packed() const noexcept { return (flags & kPackedFlag) != 0; }
  std::size_t size() const noexcept { return kFrameHeadBytes + body.size(); }
};

struct Begin {
  std::uint16_t format = kFormat;
  ArchiveHead head;
  static void wire_fields(auto& m, auto&& visit) { visit(m.format, m.head); }
};
struct Hole {
  std::uint64_t length = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.length); }
};
struct SectionEnd {
  std::uint64_t parts = 0, content = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.parts, m.content); }
};
struct ArchiveEnd {
  std::uint64_t sections = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.sections); }
};

using FrameHead = std::array<std::byte, kFrameHeadBytes>;

// The head of `frame`, which begins `offset` bytes into the archive.
FrameHead frame_head(const Frame& frame, std::uint64_t offset) noexcept;

// How long the body is of the frame that begins with `head`.
// Errors  corrupt  no frame has such a head.
Result<std::size_t> body_size(Bytes head) noexcept;
// The frame whose bytes are `whole`, with its body in them.
// Requires  body_size() has taken the head, and `whole` is head and body.
// Errors    corrupt  the checksum is wrong.
Result<Frame> parse_frame(Bytes whole, std::uint64_t offset) noexcept;

}  // namespace krg::ghost

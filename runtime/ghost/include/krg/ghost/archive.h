// ghost/archive.h: what an archive of a task's state is made of.
//
// Model    an archive is a head and a sequence of sections. A section has a name, a version, a
//          number that tells sections of one name apart, and says whether a reader that does not
//          know it may go on. It holds either the fields of one message, or runs of memory. Every
//          part is checksummed together with its place in the archive, so what is changed, cut off,
//          left out, repeated or moved is refused.
// Threads  values.
// Blocks   never.
// Source   docs/design/ghost.md; Kerrighed epm/ghost.c
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "krg/wire/codec.h"

namespace krg::ghost {

using wire::Bytes;

// The largest run of memory that is written, checked and given out at once.
inline constexpr std::size_t kPieceBytes = std::size_t{1} << 20;
// The largest encoded message of one section.
inline constexpr std::size_t kFieldsBytesMax = std::size_t{16} << 20;
inline constexpr std::size_t kNameBytesMax = 64;

// What a reader that does not know a section, or not this version of it, has to do.
enum class Need : std::uint8_t { required, optional };
enum class Packing : std::uint8_t { plain, zstd };

struct ArchiveHead {
  std::string kind;      // What for: "migration", "checkpoint".
  std::string producer;  // Who wrote it, for people.
  static void wire_fields(auto& m, auto&& visit) { visit(m.kind, m.producer); }
};

struct SectionHead {
  std::string name;  // Letters, digits, '.', '_' and '-'.
  std::uint16_t version = 1;
  std::uint64_t instance = 0;  // Which of several of that name: a thread, an address space.
  Need need = Need::required;
  Packing packing = Packing::plain;
  static void wire_fields(auto& m, auto&& visit) {
    visit(m.name, m.version, m.instance, m.need, m.packing);
  }
};

// Whether `name` can be a section's or an archive's kind.
bool is_name(std::string_view name) noexcept;

}  // namespace krg::ghost

// A small archive with one of everything, and what a reader of it must see.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "krg/ghost/reader.h"
#include "krg/ghost/writer.h"

namespace krg::ghost {

struct Registers {
  std::uint64_t pc = 0;
  std::vector<std::uint64_t> others;
  std::string name;
  bool operator==(const Registers&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.pc, m.others, m.name); }
};

inline const Registers kRegisters{0x401000, {1, 2, 3}, "solver"};

// Noise, which no compression makes smaller, or the same few bytes again and again.
inline std::vector<std::byte> noise(std::size_t size, std::uint64_t seed = 1) {
  std::vector<std::byte> bytes(size);
  for (auto& byte : bytes) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    byte = static_cast<std::byte>(seed >> 56);
  }
  return bytes;
}
inline std::vector<std::byte> repetition(std::size_t size) {
  std::vector<std::byte> bytes(size);
  for (std::size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i % 7);
  return bytes;
}

inline Status write_sample(Sink& sink) {
  Writer writer(sink);
  KRG_TRY(writer.begin({"checkpoint", "krg test"}));
  KRG_TRY(writer.fields({"registers", 2, 7}, kRegisters));
  KRG_TRY(writer.fields({"colour", 1, 0, Need::optional}, wire::Empty{}));
  SectionHead memory{"memory"};
  memory.packing = Packing::zstd;
  KRG_TRY(writer.begin_runs(memory));
  KRG_TRY(writer.run(0x10000, repetition(300)));
  KRG_TRY(writer.hole(0x20000, 0x5000));
  KRG_TRY(writer.run(0x30000, noise(100)));
  KRG_TRY(writer.end_runs());
  return writer.end();
}

// Everything that a reader was given, as text.
inline Result<std::string> read_all(Reader& reader) {
  KRG_TRY_ASSIGN(const ArchiveHead head, reader.head());
  std::string seen = head.kind + " by " + head.producer + "\n";
  for (;;) {
    KRG_TRY_ASSIGN(const auto section, reader.next());
    if (!section) return seen;
    seen += section->name + "." + std::to_string(section->instance) + ":";
    if (section->name == "memory") {
      for (;;) {
        KRG_TRY_ASSIGN(const auto run, reader.run());
        if (!run) break;
        seen += " " + std::to_string(run->address) + "+" + std::to_string(run->length);
        if (run->is_hole()) seen += "hole";
        for (const std::byte byte : run->bytes) seen += static_cast<char>(byte);
      }
    } else {
      KRG_TRY_ASSIGN(const Bytes bytes, reader.fields());
      for (const std::byte byte : bytes) seen += static_cast<char>(byte);
    }
    seen += "\n";
  }
}

}  // namespace krg::ghost

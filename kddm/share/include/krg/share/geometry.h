// share/geometry.h: where everything lies in the two segments of a node's store.
//
// Model    krgd chooses the numbers once; both sides compute the places from them. Two segments:
//          the directory, which tasks can only read, and the shared one, which everybody writes.
//          Both are address space until touched, so they are made as large as they may ever become.
// Threads  values.
// Blocks   never.
// Source   docs/design/kddm.md, "Node-shared store"
#pragma once

#include <cstddef>
#include <cstdint>

namespace krg::kddm {

inline constexpr std::size_t kStorePage = 4096;
inline constexpr std::size_t kCacheLine = 64;

struct Geometry {
  static constexpr std::uint32_t kSlotsMax = std::uint32_t{1} << 30;
  static constexpr std::uint32_t kTasksMax = 4096;
  static constexpr std::uint64_t kDataBytesMax = std::uint64_t{1} << 44;

  std::uint32_t slots = 0;       // Objects at a time.
  std::uint32_t tasks = 0;       // Tasks at a time.
  std::uint64_t data_bytes = 0;  // Address space for their bytes: whole pages.

  bool operator==(const Geometry&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.slots, m.tasks, m.data_bytes); }
};

// Whether a store can be made so; for numbers from outside.
bool is_sound(const Geometry& geometry) noexcept;

// Offsets in the directory, which begins with its header.
struct DirectoryMap {
  std::uint64_t buckets = 0;
  std::uint64_t records = 0;
  std::uint64_t bytes = 0;  // Of the whole segment.
};
// Offsets in the shared segment, which begins with the tasks' counts.
struct SharedMap {
  std::uint64_t tables = 0;
  std::uint64_t slots = 0;
  std::uint64_t data = 0;
  std::uint64_t bytes = 0;  // Of the whole segment.
};

// Requires  is_sound(geometry).
DirectoryMap directory_map(const Geometry& geometry) noexcept;
SharedMap shared_map(const Geometry& geometry) noexcept;

}  // namespace krg::kddm

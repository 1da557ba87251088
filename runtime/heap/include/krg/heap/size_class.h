// heap/size_class.h: the sizes in which small blocks come.
//
// Model    16 bytes apart up to 128, then four to each doubling, up to 16 KiB.
// Threads  pure.
// Blocks   never.
// Source   Evans, A scalable concurrent malloc(3) implementation for FreeBSD, 2006
#pragma once

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

namespace krg::heap {

inline constexpr std::size_t kSmallMax = 16384;
inline constexpr unsigned kClasses = 36;

// Requires  0 < bytes <= kSmallMax.
constexpr unsigned class_of(std::size_t bytes) noexcept {
  if (bytes <= 128) return static_cast<unsigned>((bytes - 1) / 16);
  const auto log = static_cast<unsigned>(std::bit_width(bytes - 1)) - 1;  // At least 7.
  return 8 + (log - 7) * 4 + static_cast<unsigned>((bytes - 1) >> (log - 2) & 3);
}

// Requires  c < kClasses.
constexpr std::size_t class_bytes(unsigned c) noexcept {
  if (c < 8) return (c + std::size_t{1}) * 16;
  const unsigned log = (c - 8) / 4 + 7;
  return ((c - 8) % 4 + std::size_t{5}) << (log - 2);
}

static_assert(class_bytes(kClasses - 1) == kSmallMax && class_of(kSmallMax) == kClasses - 1);

}  // namespace krg::heap

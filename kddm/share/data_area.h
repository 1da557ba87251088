// Places for the objects' bytes: small ones in runs of blocks of one size class, the others as
// whole pages. What is where is known here alone, never in the area itself.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <map>
#include <optional>
#include <set>

#include "extents.h"
#include "krg/share/geometry.h"

namespace krg::kddm {

class DataArea {
 public:
  struct Place {
    std::uint64_t offset = 0;    // In the area. Of whole pages: at the begin of one.
    std::uint64_t capacity = 0;  // At least what was asked for; what release() wants back.
  };

  // An area of `bytes` at `offset` in the file `fd`, whose pages are given back to the system
  // when many are free.
  // Requires  whole pages; `fd` outlives this.
  DataArea(int fd, std::uint64_t offset, std::uint64_t bytes);

  // The capacity that `bytes` would have.
  static std::uint64_t capacity_of(std::uint64_t bytes) noexcept;

  // Requires  bytes > 0. Cost: logarithmic in the number of runs and spans.
  std::optional<Place> take(std::uint64_t bytes);
  // Requires  taken so.
  void release(Place place);

 private:
  static constexpr std::uint64_t kRunPages = 16;
  static constexpr std::uint64_t kRunBytes = kRunPages * kStorePage;
  static constexpr std::array<std::uint16_t, 19> kClasses = {
      64,  128,  192,  256,  320,  384,  448,  512,  640, 768,
      896, 1024, 1280, 1536, 1792, 2048, 2560, 3072, 3584};
  static constexpr std::size_t kBlocksMax = kRunBytes / kClasses[0];
  // Free pages that may keep their memory, at least; and as a part of the area.
  static constexpr std::uint64_t kKeptPages = 1024;
  static constexpr std::uint64_t kKeptPart = 16;

  struct Run {
    std::size_t class_index = 0;
    std::size_t taken = 0;
    std::size_t first_free = 0;  // No block below is free.
    std::bitset<kBlocksMax> used;
  };

  static std::size_t class_of(std::uint64_t bytes) noexcept;
  static std::size_t blocks_of(const Run& run) noexcept {
    return kRunBytes / kClasses[run.class_index];
  }
  std::optional<Place> take_block(std::size_t class_index);
  void release_block(Place place);
  std::optional<std::uint64_t> take_pages(std::uint64_t pages);
  void release_pages(std::uint64_t offset, std::uint64_t pages);
  void give_back() noexcept;

  const int fd_;
  const std::uint64_t offset_;
  const std::uint64_t kept_max_;
  std::uint64_t maybe_kept_ = 0;  // Pages released since the last give_back().
  Extents extents_;
  std::map<std::uint64_t, Run> runs_;  // By offset.
  std::array<std::set<std::uint64_t>, kClasses.size()> with_room_;
};

}  // namespace krg::kddm

// mm/diff.h: what a node has changed of a page, byte by byte.
//
// Model    a page is compared with its twin, a copy from before the first store, in words of 8
//          bytes; of a word that differs go the bytes that differ, so who writes other bytes of the
//          same word loses nothing. A diff says what the bytes are now: applying it again changes
//          nothing. Diffs of many pages follow each other in one message. Pure.
// Threads  owned by one thread.
// Blocks   never.
// Source   Keleher et al., TreadMarks (twins and diffs); docs/design/mm.md, "Release consistency"
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "krg/mm/pages.h"
#include "krg/mm_calls/region_info.h"

namespace krg::mm {

using PageView = std::span<const std::byte, kPageBytes>;

// Puts what `now` has and `twin` has not at the end of `out`; false: they are the same.
// Cost  0.3 us of a page without a difference; at most 4.6 KiB
bool append_diff(Page page, PageView twin, PageView now, std::vector<std::byte>& out);

// Diffs as they have come from another node.
class Diffs {
 public:
  struct One {
    Page page;
    std::span<const std::byte> runs;
  };

  explicit Diffs(std::span<const std::byte> bytes) noexcept : bytes_(bytes) {}

  // Whether all of it is diffs. Cost: of reading it.
  bool is_right() const noexcept;
  // The next one; false: there is none. Requires  is_right().
  bool next(One& one) noexcept;
  // Requires  `one` came from next().
  static void apply(const One& one, std::span<std::byte, kPageBytes> page) noexcept;

 private:
  std::span<const std::byte> bytes_;
  std::size_t at_ = 0;
};

}  // namespace krg::mm

// mm_calls/page_ranges.h: some of a region's pages, as few ranges.
//
// Model    sorted ranges that neither overlap nor touch. A value; what comes from elsewhere is
//          checked before it is used.
// Threads  immutable but for set() and clear().
// Blocks   never.
// Source   docs/design/mm.md, "What changes"
#pragma once

#include <cstdint>
#include <vector>

#include "krg/wire/codec.h"

namespace krg::mm {

class PageRanges {
 public:
  struct Range {
    std::uint64_t first = 0;
    std::uint64_t end = 0;
    bool operator==(const Range&) const = default;
    static void wire_fields(auto& m, auto&& visit) { visit(m.first, m.end); }
  };
  // So many at most: what holds them travels with each change of a region.
  static constexpr std::size_t kMost = 200;

  // Cost of all: what there are of ranges.
  // Requires  first <= end
  void set(std::uint64_t first, std::uint64_t end);
  void clear(std::uint64_t first, std::uint64_t end);

  bool empty() const noexcept { return ranges_.empty(); }
  bool has(std::uint64_t page) const noexcept { return !is_clear(page, page + 1); }
  // Whether none, or all, of first ... end - 1 are among them.
  bool is_clear(std::uint64_t first, std::uint64_t end) const noexcept;
  bool is_set(std::uint64_t first, std::uint64_t end) const noexcept;
  // Where the pages begin to be otherwise than `page` is, up to `end`. Requires  page < end
  std::uint64_t next_change(std::uint64_t page, std::uint64_t end) const noexcept;
  const std::vector<Range>& all() const noexcept { return ranges_; }
  // What came from elsewhere: as it has to be, and all below `pages`.
  bool is_valid(std::uint64_t pages) const noexcept;

  bool operator==(const PageRanges&) const = default;
  static void wire_fields(auto& m, auto&& visit) { visit(m.ranges_); }

 private:
  // The first range that ends behind `page`.
  std::vector<Range>::const_iterator from(std::uint64_t page) const noexcept;

  std::vector<Range> ranges_;
};

}  // namespace krg::mm

// mm/traffic.h: how often a node was given each page of a region, and lost it again.
//
// Model    counts, by page and for the region, since the node has had to do with it. A page that
//          bounces is one that several nodes are given and lose in turn: each counts its own part.
//          Also knows which pages have ever lain here. Pure.
// Threads  owned by one thread.
// Blocks   never.
// Source   docs/design/mm.md, "Counters"
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "krg/mm/pages.h"

namespace krg::mm {

struct PageCount {
  std::uint64_t page = 0;
  std::uint32_t reads = 0;   // Given to be read,
  std::uint32_t writes = 0;  // to be written,
  std::uint32_t taken = 0;   // and taken, or made readable only.
  static void wire_fields(auto& m, auto&& visit) { visit(m.page, m.reads, m.writes, m.taken); }
};

class Traffic {
 public:
  // Cost of each: a look-up. Counts stop at their greatest.
  void given(Page page, bool write);
  void taken(Page page);
  void placed(Page page);

  std::uint64_t reads() const noexcept { return reads_; }
  std::uint64_t writes() const noexcept { return writes_; }
  std::uint64_t lost() const noexcept { return taken_; }
  // Those that were taken most often, the hottest first; none that was not.
  // Cost  all pages that have ever been here
  std::vector<PageCount> hottest(std::size_t most) const;
  // Those from `first` on that have ever been here, in order. Cost as above.
  std::vector<Page> placed_from(Page first) const;

 private:
  static constexpr std::uint64_t kChunk = 512;
  struct Count {
    std::uint32_t reads = 0;
    std::uint32_t writes = 0;
    std::uint32_t taken = 0;
    bool placed = false;
  };
  using Chunk = std::array<Count, kChunk>;

  Count& at(Page page);

  std::unordered_map<std::uint64_t, std::unique_ptr<Chunk>> chunks_;  // By page / kChunk.
  std::uint64_t reads_ = 0;
  std::uint64_t writes_ = 0;
  std::uint64_t taken_ = 0;
};

}  // namespace krg::mm

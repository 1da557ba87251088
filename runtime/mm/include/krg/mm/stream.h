// mm/stream.h: whether a task's faults follow each other, and what to bring before it asks.
//
// Model    of one task in one region. Faults at pages that follow each other, all to read or all to
//          write, make a window grow, any other one closes it. What the node has is then mapped a
//          window at a time, and what it has not is brought ahead of that, a window at a time too.
// Threads  owned by one thread. Pure.
// Blocks   never.
// Source   Linux, mm/readahead.c; docs/design/mm.md, "Streams"
#pragma once

#include <cstdint>

#include "krg/mm/pages.h"

namespace krg::mm {

struct Stretch {
  Page first;
  std::uint64_t count = 0;
  static void wire_fields(auto& m, auto&& visit) { visit(m.first, m.count); }
};

class Stream {
 public:
  static constexpr std::uint64_t kReadMost = 64;
  // Ahead of a writer pages are taken from others.
  static constexpr std::uint64_t kWriteMost = 32;

  // A fault has come; at most how many pages, from it on, may be mapped at once if they are here.
  std::uint64_t on_fault(Page page, bool write) noexcept;
  // So many were mapped, or are as soon as the page is here. What is to be brought now, of a region
  // of `pages`; often nothing.
  Stretch on_mapped(Page page, std::uint64_t count, std::uint64_t pages) noexcept;

 private:
  std::uint64_t next_ = ~std::uint64_t{0};  // The page that would follow.
  std::uint64_t ahead_ = 0;                 // What is before it has been asked for.
  std::uint64_t window_ = 1;
  bool write_ = false;
};

}  // namespace krg::mm

// Spans of pages of one area: who asks gets the smallest that fits.
#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <utility>

namespace krg::kddm {

class Extents {
 public:
  static constexpr std::uint64_t kNone = ~std::uint64_t{0};

  explicit Extents(std::uint64_t pages);

  // The first page of `pages` in a row; kNone if there are not so many. Cost: logarithmic.
  std::uint64_t take(std::uint64_t pages);
  // Requires  they were taken.
  void give(std::uint64_t first, std::uint64_t pages);

  // Calls `f(first, pages)` for all that is free.
  template <class F>
  void each_free(F f) const {
    for (const auto& [first, pages] : by_place_) f(first, pages);
  }

 private:
  void add(std::uint64_t first, std::uint64_t pages);
  void remove(std::map<std::uint64_t, std::uint64_t>::iterator at);

  std::map<std::uint64_t, std::uint64_t> by_place_;            // First page, pages.
  std::set<std::pair<std::uint64_t, std::uint64_t>> by_size_;  // Pages, first page.
};

}  // namespace krg::kddm

#include "krg/mm_calls/page_ranges.h"

#include <algorithm>

namespace krg::mm {

std::vector<PageRanges::Range>::const_iterator PageRanges::from(std::uint64_t page) const noexcept {
  return std::upper_bound(ranges_.begin(), ranges_.end(), page,
                          [](std::uint64_t at, const Range& range) { return at < range.end; });
}

void PageRanges::set(std::uint64_t first, std::uint64_t end) {
  if (first == end) return;
  Range grown{first, end};
  std::vector<Range> left;
  for (const Range& range : ranges_) {
    if (range.end < first || end < range.first) {
      left.push_back(range);
      continue;
    }
    grown = {std::min(grown.first, range.first), std::max(grown.end, range.end)};
  }
  const auto place =
      std::find_if(left.begin(), left.end(), [&](const Range& r) { return r.first > grown.first; });
  left.insert(place, grown);
  ranges_ = std::move(left);
}

void PageRanges::clear(std::uint64_t first, std::uint64_t end) {
  std::vector<Range> left;
  for (const Range& range : ranges_) {
    const Range before{range.first, std::min(range.end, first)};
    const Range behind{std::max(range.first, end), range.end};
    if (before.first < before.end) left.push_back(before);
    if (behind.first < behind.end && first < end) left.push_back(behind);
  }
  if (first < end) ranges_ = std::move(left);
}

bool PageRanges::is_clear(std::uint64_t first, std::uint64_t end) const noexcept {
  const auto at = from(first);
  return first >= end || at == ranges_.end() || at->first >= end;
}

bool PageRanges::is_set(std::uint64_t first, std::uint64_t end) const noexcept {
  const auto at = from(first);
  return first >= end || (at != ranges_.end() && at->first <= first && end <= at->end);
}

std::uint64_t PageRanges::next_change(std::uint64_t page, std::uint64_t end) const noexcept {
  const auto at = from(page);
  if (at == ranges_.end()) return end;
  return std::min(end, at->first <= page ? at->end : at->first);
}

bool PageRanges::is_valid(std::uint64_t pages) const noexcept {
  if (ranges_.size() > kMost) return false;
  for (std::size_t i = 0; i < ranges_.size(); ++i) {
    if (ranges_[i].first >= ranges_[i].end || ranges_[i].end > pages) return false;
    if (i > 0 && ranges_[i].first <= ranges_[i - 1].end) return false;
  }
  return true;
}

}  // namespace krg::mm

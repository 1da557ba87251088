#include "extents.h"

#include "krg/base/assert.h"

namespace krg::kddm {

Extents::Extents(std::uint64_t pages) {
  if (pages > 0) add(0, pages);
}

void Extents::add(std::uint64_t first, std::uint64_t pages) {
  by_place_.emplace(first, pages);
  by_size_.emplace(pages, first);
}

void Extents::remove(std::map<std::uint64_t, std::uint64_t>::iterator at) {
  by_size_.erase({at->second, at->first});
  by_place_.erase(at);
}

std::uint64_t Extents::take(std::uint64_t pages) {
  const auto fit = by_size_.lower_bound({pages, 0});
  if (fit == by_size_.end()) return kNone;
  const auto [have, first] = *fit;
  remove(by_place_.find(first));
  if (have > pages) add(first + pages, have - pages);
  return first;
}

void Extents::give(std::uint64_t first, std::uint64_t pages) {
  auto after = by_place_.lower_bound(first);
  if (after != by_place_.end()) {
    KRG_ASSERT(first + pages <= after->first);
    if (after->first == first + pages) {
      pages += after->second;
      const auto next = std::next(after);
      remove(after);
      after = next;
    }
  }
  if (after != by_place_.begin()) {
    const auto before = std::prev(after);
    KRG_ASSERT(before->first + before->second <= first);
    if (before->first + before->second == first) {
      first = before->first;
      pages += before->second;
      remove(before);
    }
  }
  add(first, pages);
}

}  // namespace krg::kddm

#include "krg/mm/traffic.h"

#include <algorithm>
#include <limits>

namespace krg::mm {
namespace {

void add(std::uint32_t& count) noexcept {
  if (count < std::numeric_limits<std::uint32_t>::max()) ++count;
}

}  // namespace

Traffic::Count& Traffic::at(Page page) {
  std::unique_ptr<Chunk>& chunk = chunks_[page.value / kChunk];
  if (!chunk) chunk = std::make_unique<Chunk>();
  return (*chunk)[page.value % kChunk];
}

void Traffic::given(Page page, bool write) {
  Count& count = at(page);
  add(write ? count.writes : count.reads);
  ++(write ? writes_ : reads_);
}

void Traffic::taken(Page page) {
  add(at(page).taken);
  ++taken_;
}

void Traffic::placed(Page page) { at(page).placed = true; }

std::vector<PageCount> Traffic::hottest(std::size_t most) const {
  std::vector<PageCount> all;
  for (const auto& [number, chunk] : chunks_) {
    for (std::uint64_t i = 0; i < kChunk; ++i) {
      const Count& count = (*chunk)[i];
      if (count.taken == 0) continue;
      all.push_back({number * kChunk + i, count.reads, count.writes, count.taken});
    }
  }
  const auto hotter = [](const PageCount& a, const PageCount& b) {
    return a.taken != b.taken ? a.taken > b.taken : a.page < b.page;
  };
  const std::size_t kept = std::min(most, all.size());
  std::partial_sort(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(kept), all.end(),
                    hotter);
  all.resize(kept);
  return all;
}

std::vector<Page> Traffic::placed_from(Page first) const {
  std::vector<Page> all;
  for (const auto& [number, chunk] : chunks_) {
    for (std::uint64_t i = 0; i < kChunk; ++i) {
      const Page page{number * kChunk + i};
      if ((*chunk)[i].placed && page.value >= first.value) all.push_back(page);
    }
  }
  std::sort(all.begin(), all.end(), [](Page a, Page b) { return a.value < b.value; });
  return all;
}

}  // namespace krg::mm

#include "krg/stats/histogram.h"

#include <algorithm>
#include <cmath>

namespace krg::stats {

static_assert(Buckets::index_of(Buckets::kValueMax) == Buckets::kCount - 1);
static_assert(Buckets::index_of(~std::uint64_t{0}) == Buckets::kCount - 1);
static_assert(Buckets::kCount <= 0xffff);

Distribution Histogram::read() const {
  Distribution out;
  for (std::size_t i = 0; i < buckets_.size(); ++i) {
    if (const std::uint64_t n = buckets_[i].load(); n != 0) {
      out.buckets.emplace_back(static_cast<std::uint16_t>(i), n);
    }
  }
  out.sum = sum_.load();
  out.max = max_.load();
  return out;
}

std::uint64_t Distribution::count() const noexcept {
  std::uint64_t total = 0;
  for (const auto& [index, n] : buckets) total += n;
  return total;
}

double Distribution::mean() const noexcept {
  const std::uint64_t n = count();
  return n == 0 ? 0 : static_cast<double>(sum) / static_cast<double>(n);
}

std::uint64_t Distribution::quantile(double q) const noexcept {
  const std::uint64_t total = count();
  if (total == 0) return 0;
  const auto rank = static_cast<std::uint64_t>(std::ceil(q * static_cast<double>(total)));
  std::uint64_t seen = 0;
  for (const auto& [index, n] : buckets) {
    seen += n;
    // From outside an index may be anything.
    if (seen >= rank)
      return index < Buckets::kCount ? std::min(Buckets::value_of(index), max) : max;
  }
  return max;
}

void Distribution::merge(const Distribution& other) {
  sum += other.sum;
  max = std::max(max, other.max);
  std::vector<std::pair<std::uint16_t, std::uint64_t>> all;
  auto mine = buckets.begin();
  auto theirs = other.buckets.begin();
  while (mine != buckets.end() || theirs != other.buckets.end()) {
    if (theirs == other.buckets.end() || (mine != buckets.end() && mine->first < theirs->first)) {
      all.push_back(*mine++);
    } else if (mine == buckets.end() || theirs->first < mine->first) {
      all.push_back(*theirs++);
    } else {
      all.emplace_back(mine->first, mine->second + theirs->second);
      ++mine;
      ++theirs;
    }
  }
  buckets = std::move(all);
}

}  // namespace krg::stats

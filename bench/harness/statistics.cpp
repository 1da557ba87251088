#include "krg/harness/statistics.h"

#include <algorithm>

#include "krg/base/assert.h"

namespace krg::harness {
namespace {

template <class T>
T nearest_rank(std::vector<T>& sorted, double fraction) {
  const auto rank = static_cast<std::size_t>(fraction * static_cast<double>(sorted.size()));
  return sorted[std::min(rank, sorted.size() - 1)];
}

double median_of(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

}  // namespace

// Every page is touched here, so that none is first touched inside a measured loop.
Latencies::Latencies() : values_(kMax) {}

Sample Latencies::summary() {
  KRG_ASSERT(count_ > 0);
  std::vector<float> sorted(values_.begin(),
                            values_.begin() + static_cast<std::ptrdiff_t>(std::min(count_, kMax)));
  std::sort(sorted.begin(), sorted.end());
  return {nearest_rank(sorted, 0.5), nearest_rank(sorted, 0.99)};
}

Spread spread(std::span<const double> values) {
  KRG_ASSERT(!values.empty());
  const auto [min, max] = std::minmax_element(values.begin(), values.end());
  return {median_of({values.begin(), values.end()}), *min, *max};
}

double paired_ratio(std::span<const double> krg, std::span<const double> base) {
  KRG_ASSERT(!krg.empty() && krg.size() == base.size());
  std::vector<double> ratios;
  for (std::size_t i = 0; i < krg.size(); ++i) ratios.push_back(krg[i] / base[i]);
  return median_of(std::move(ratios));
}

}  // namespace krg::harness
